// Feedback in Unity, by the TCP lines of rtbold bridge:  rtbold bridge --lines 5591
//
// Put it on an object; read Z in your own Update(). No packages. Not run here.

using System;
using System.IO;
using System.Net.Sockets;
using System.Threading;
using UnityEngine;

public class RtboldFeed : MonoBehaviour
{
    public int port = 5591;

    /// <summary>What to show; null: the neutral screen.</summary>
    public float? Z { get; private set; }

    [Serializable]
    class Line { public string topic, show; public float z; }

    const float DeadAfterS = 2f;            // no line for longer: neutral
    readonly object gate = new object();
    string newest;                          // the last line of the topic "show"
    DateTime heard = DateTime.MinValue;
    TcpClient client;
    volatile bool ending;

    void Start() { new Thread(Read) { IsBackground = true }.Start(); }

    void Update()                           // never waits for the network
    {
        string text;
        DateTime at;
        lock (gate) { text = newest; at = heard; }
        Z = null;
        if (text == null || (DateTime.UtcNow - at).TotalSeconds > DeadAfterS) return;
        var line = JsonUtility.FromJson<Line>(text);
        // JsonUtility reads null as 0, so the number counts only beside these words
        bool hasZ = !text.Contains("\"z\":null");
        if ((line.show == "value" || line.show == "hold") && hasZ) Z = line.z;
    }

    void Read()
    {
        while (!ending)
        {
            try
            {
                using (client = new TcpClient("127.0.0.1", port))
                using (var reader = new StreamReader(client.GetStream()))
                {
                    string text;
                    while ((text = reader.ReadLine()) != null)
                    {
                        if (!text.StartsWith("{\"topic\":\"show\"")) continue;
                        lock (gate) { newest = text; heard = DateTime.UtcNow; }
                    }
                }
            }
            catch (Exception e) when (e is IOException || e is SocketException) { }
            Thread.Sleep(500);              // the bridge is gone, or not there yet
        }
    }

    void OnDestroy() { ending = true; client?.Close(); }
}
