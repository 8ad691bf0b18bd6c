#pragma once

/*
 * err.h - an error that a person will read.
 *
 * The caller owns it, usually on its stack, so there is nothing to free.
 * Functions take it last, may be given NULL, and fill it only when they fail.
 */
struct err {
    int code; /* negative errno */
    char text[512];
};

/* Fills @err and returns @code, so that a failure is one line at the place it is found. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set(), with ": " and strerror(-code) behind the text. */
int err_errno(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__
/* The analyser sees one file at a time: it has to be told that a failure is always negative. */
static inline int err_negative(int code)
{
    return code < 0 ? code : -1;
}
#define err_set(err, code, ...)   ((void) err_set(err, code, __VA_ARGS__), err_negative(code))
#define err_errno(err, code, ...) ((void) err_errno(err, code, __VA_ARGS__), err_negative(code))
#endif
