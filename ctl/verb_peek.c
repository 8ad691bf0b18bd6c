/* verb_peek.c - the end of a task's output. */
#include "ctl/ctl.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <string.h>

/* Line by line, so that nothing but ends of lines and tabs reaches the terminal as it is. */
static void print_tail(FILE *out, const char *tail)
{
    while (*tail) {
        size_t len = strcspn(tail, "\n\t");

        text_write(out, tail, len);
        if (tail[len])
            (void) fputc(tail[len++], out);
        tail += len;
        if (!*tail && tail[-1] != '\n')
            (void) fputc('\n', out);
    }
}

static void print_output(FILE *out, const json_t *output)
{
    const char *tail = text_get_string(output, "tail");
    const char *error = text_get_string(output, "error");
    const char *path = text_get_string(output, "path");
    int64_t size = 0;

    (void) fputs("==> ", out);
    text_write_field(out, output, "stream");
    (void) fputs(": ", out);
    text_write_string(out, path ? path : "/dev/null");
    if (text_get_number(output, "size", &size))
        (void) fprintf(out, " (%lld bytes)", (long long) size);
    (void) fputs(" <==\n", out);
    if (error) {
        text_write_string(out, error);
        (void) fputc('\n', out);
    }
    if (tail)
        print_tail(out, tail);
}

void verb_peek(struct ctl *ctl, const struct args *args)
{
    const json_t *output;
    char id[CTL_ID_SIZE];
    char address[64];
    json_t *answer;
    size_t i;

    (void) ctl_id_text(args->ids[0].job_id, args->ids[0].task_id, id);
    (void) snprintf(address, sizeof(address), "/v1/tasks/%s/peek", id);
    answer = ctl_ask_waiting(ctl, id, address, 15000);
    if (!answer)
        return;
    if (args->given & ARGS_JSON) {
        ctl_print_json(ctl, answer);
    } else {
        json_array_foreach(json_object_get(answer, "outputs"), i, output)
            print_output(ctl->out, output);
    }
    json_decref(answer);
}
