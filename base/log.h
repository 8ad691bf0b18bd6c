#pragma once

/*
 * log.h - what a program of ours says to its operator: one line each on stderr, or with the
 * journal's priority in front ("<4>") where stderr is the journal. Only shells log; libraries
 * return a struct err. Bytes that could forge a line (control characters) are escaped as \xNN.
 */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

void log_open(const char *program); /* borrowed for the process's life; else "quell" */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
