#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef err_set
#undef err_errno

int err_set(struct err *err, int code, const char *format, ...)
{
    va_list args;

    if (!err)
        return code;
    err->code = code;
    va_start(args, format);
    (void) vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return code;
}

int err_errno(struct err *err, int code, const char *format, ...)
{
    va_list args;
    size_t len;

    if (!err)
        return code;
    err->code = code;
    va_start(args, format);
    (void) vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    len = strlen(err->text);
    (void) snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(-code));
    return code;
}
