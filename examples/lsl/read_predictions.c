/* Print each prediction of a session as LSL has it. Needs liblsl only.
 *
 *     cc read_predictions.c -llsl -o read_predictions    (liblsl's headers installed)
 *     rtbold fake --lsl                                   (in another terminal)
 *     ./read_predictions [PORT]
 *
 * PORT is that of the session's feed, and tells two sessions in one network apart.
 * read_predictions.py says what the two streams hold.
 */

#include <lsl_c.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SILENT_S 10.0
#define OK 0
#define DEGRADED 1 /* 2 invalid, 3 warmup, 4 paused: then values are NaN */

static const char *const WORDS[] = {"ok", "degraded", "invalid", "warmup", "paused"};

/* Return the open stream of that name; NULL: there is none. */
static lsl_inlet open_stream(const char *name, const char *port)
{
    char wanted[160];
    lsl_streaminfo found;
    int32_t error = 0;
    snprintf(wanted, sizeof wanted, "name='%s' and contains(source_id,':%s-')", name, port);
    if (lsl_resolve_bypred(&found, 1, wanted, 1, SILENT_S) < 1)
        return NULL;
    /* 1: a session that restarts with the same port and channels is found again. */
    lsl_inlet inlet = lsl_create_inlet(found, 360, 0, 1);
    lsl_destroy_streaminfo(found);
    lsl_open_stream(inlet, SILENT_S, &error);
    return error ? NULL : inlet;
}

/* Return how many channels a stream has. */
static int n_channels_of(lsl_inlet inlet)
{
    int32_t error = 0;
    lsl_streaminfo info = lsl_get_fullinfo(inlet, SILENT_S, &error);
    if (error)
        return 0;
    int n = lsl_get_channel_count(info);
    lsl_destroy_streaminfo(info);
    return n;
}

int main(int argc, char **argv)
{
    const char *port = argc > 1 ? argv[1] : "5580";
    lsl_inlet predictions = open_stream("rtbold-pred", port);
    lsl_inlet events = open_stream("rtbold-events", port);
    int n = predictions ? n_channels_of(predictions) : 0;
    if (!events || n < 3) {
        fprintf(stderr, "no session sends to LSL here: start rtbold fake --lsl\n");
        return 1;
    }
    double *row = malloc(n * sizeof *row);
    while (row) {
        int32_t error = 0;
        double onset_s = lsl_pull_sample_d(predictions, row, n, SILENT_S, &error);
        char *text = NULL;
        double event_s;
        while ((event_s = lsl_pull_sample_str(events, &text, 1, 0.0, &error)) != 0.0) {
            printf("%.3f %s\n", event_s, text);
            lsl_destroy_string(text);
        }
        if (onset_s == 0.0) /* nothing came for SILENT_S */
            break;
        /* Every ROI, then the value of the target, the status and the volume. */
        double value = row[n - 3], volume = row[n - 1];
        int status = (int)row[n - 2];
        printf("%.3f volume %.0f %s: ", onset_s, volume, WORDS[status]);
        if (status == OK || status == DEGRADED)
            printf("%.3f\n", value);
        else
            printf("nothing to show\n");
        fflush(stdout);
    }
    free(row);
    lsl_destroy_inlet(predictions);
    lsl_destroy_inlet(events);
    return 0;
}
