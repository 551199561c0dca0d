/* What the C example uses of liblsl's C interface, declared after its documentation.
 *
 * liblsl's own headers are not in pylsl's wheel; this stands in for them in a test.
 */

#include <stdint.h>

typedef struct lsl_streaminfo_struct_ *lsl_streaminfo;
typedef struct lsl_inlet_struct_ *lsl_inlet;

int32_t lsl_resolve_bypred(lsl_streaminfo *buffer, uint32_t buffer_elements,
                           const char *pred, int32_t minimum, double timeout);
void lsl_destroy_streaminfo(lsl_streaminfo info);
int32_t lsl_get_channel_count(lsl_streaminfo info);
lsl_inlet lsl_create_inlet(lsl_streaminfo info, int32_t max_buflen, int32_t max_chunklen,
                           int32_t recover);
void lsl_destroy_inlet(lsl_inlet in);
void lsl_open_stream(lsl_inlet in, double timeout, int32_t *ec);
lsl_streaminfo lsl_get_fullinfo(lsl_inlet in, double timeout, int32_t *ec);
double lsl_pull_sample_d(lsl_inlet in, double *buffer, int32_t buffer_elements,
                         double timeout, int32_t *ec);
double lsl_pull_sample_str(lsl_inlet in, char **buffer, int32_t buffer_elements,
                           double timeout, int32_t *ec);
void lsl_destroy_string(char *s);
