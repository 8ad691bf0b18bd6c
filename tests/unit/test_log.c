#include "base/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int ours = -1;
static int kept_stderr = -1;

/* One datagram socket in place of stderr: each write(2) stays a message of its own. */
static void catch_stderr(void)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    cr_assert_geq(dup2(fds[1], STDERR_FILENO), 0);
    (void) close(fds[1]);
    ours = fds[0];
}

static void give_stderr_back(void)
{
    (void) dup2(kept_stderr, STDERR_FILENO);
    (void) close(kept_stderr);
    (void) close(ours);
}

TestSuite(log, .init = catch_stderr, .fini = give_stderr_back);

static char line[16384];

static const char *next_line(void)
{
    const ssize_t n = recv(ours, line, sizeof(line) - 1, MSG_DONTWAIT);

    line[n > 0 ? n : 0] = '\0';
    return line;
}

static void name_the_journal(unsigned long long inode_offset)
{
    struct stat st;
    char text[64];

    cr_assert_eq(fstat(STDERR_FILENO, &st), 0);
    (void) snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long) st.st_dev,
                    (unsigned long long) st.st_ino + inode_offset);
    cr_assert_eq(setenv("JOURNAL_STREAM", text, 1), 0);
}

Test(log, a_line_says_which_program_speaks_and_is_one_write)
{
    (void) unsetenv("JOURNAL_STREAM");
    log_info("early");
    cr_expect_str_eq(next_line(), "quell: early\n");
    log_open("quelld");
    log_warning("task %s: %d", "7.1", 3);
    log_error("last");
    cr_expect_str_eq(next_line(), "quelld: task 7.1: 3\n");
    cr_expect_str_eq(next_line(), "quelld: last\n");
    cr_expect_str_eq(next_line(), "");
}

Test(log, the_journal_gets_a_priority_in_front)
{
    name_the_journal(0);
    log_open("quelld");
    log_error("a");
    cr_expect_str_eq(next_line(), "<3>a\n");
    log_warning("b");
    cr_expect_str_eq(next_line(), "<4>b\n");
    log_info("c");
    cr_expect_str_eq(next_line(), "<6>c\n");
    log_write(LOG_LEVEL_DEBUG, "d");
    cr_expect_str_eq(next_line(), "<7>d\n");
}

Test(log, a_stderr_that_was_redirected_is_not_the_journal)
{
    name_the_journal(1);
    log_open("quelld");
    log_error("a");
    cr_expect_str_eq(next_line(), "quelld: a\n");
}

Test(log, no_byte_can_forge_a_line_or_reach_a_terminal)
{
    static const struct {
        const char *text;
        const char *line;
    } rows[] = {
        {"a\nquelld: b", "q: a\\x0aquelld: b\n"},
        {"\r\t\x1b[31m\x7f", "q: \\x0d\\x09\\x1b[31m\\x7f\n"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7",
         "q: caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7\n"},
        {"\xc2\x9b 31m", "q: \\xc2\\x9b 31m\n"},
        {"\xff\xc3", "q: \\xff\\xc3\n"},
        {"\xed\xa0\x80", "q: \\xed\\xa0\\x80\n"},
        {"", "q: \n"},
    };

    (void) unsetenv("JOURNAL_STREAM");
    log_open("q");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        log_info("%s", rows[i].text);
        cr_expect_str_eq(next_line(), rows[i].line, "row %zu: %s", i, line);
    }
    log_info("also in\nthe format");
    cr_expect_str_eq(next_line(), "q: also in\\x0athe format\n");
}

Test(log, a_huge_text_is_cut_and_is_still_one_line)
{
    char text[10000];
    char program[500];

    (void) unsetenv("JOURNAL_STREAM");
    memset(text, '\n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memset(program, 'p', sizeof(program) - 1);
    program[sizeof(program) - 1] = '\0';
    log_open(program);
    log_info("%s", text);
    (void) next_line();
    cr_expect_gt(strlen(line), 2000u);
    cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1);
    cr_expect_str_eq(next_line(), "");
}
