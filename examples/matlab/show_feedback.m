function show_feedback(port)
% SHOW_FEEDBACK  A thermometer in MATLAB, by the TCP lines of rtbold bridge.
%
%   rtbold bridge --lines 5591        (in a terminal)
%   show_feedback(5591)
%
% Needs MATLAB R2020b or later and no toolbox. Not run here.

if nargin < 1, port = 5591; end
client = tcpclient("127.0.0.1", port);
configureTerminator(client, "LF");
figure("Color", "k", "MenuBar", "none");
bar = rectangle("Position", [-0.1 0 0.2 0.001], "FaceColor", "w");
axis([-1 1 -2 2]); axis off
shown = struct("show", "neutral", "z", []);
heard = tic;
while ishandle(bar)
    while client.NumBytesAvailable > 0          % all that has come: the last one counts
        line = jsondecode(readline(client));
        if line.topic == "show"
            shown = line;
            heard = tic;
        end
    end
    neutral = shown.show == "neutral" || isempty(shown.z) || toc(heard) > 2;
    if neutral
        set(bar, "Visible", "off");
    else                                        % "value", or "hold": one TR at most
        z = max(-2, min(2, shown.z));
        set(bar, "Visible", "on", "Position", [-0.1 min(z, 0) 0.2 max(abs(z), 0.001)]);
    end
    drawnow limitrate
    pause(0.02)
end
end
