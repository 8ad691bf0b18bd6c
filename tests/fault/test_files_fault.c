/*
 * What keeps files and sockets: the N-th call fails, for every N. There is a sentence, no
 * descriptor is lost (memory: the sanitizer's), nothing half-made is left, and the next time it
 * works.
 */
#include "agent/store.h"
#include "base/fdio.h"
#include "base/lock.h"
#include "http/http_socket.h"
#include "ipc/record.h"
#include "supervisor/attempt.h"

#include "tests/fault/gate.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CALLS_MAX 200 /* more than any of these needs */
#define UID_TEXT  "0123456789abcdef0123456789abcdef"

static char dir[64];

static void make_dir(void)
{
    (void) strcpy(dir, "/tmp/quell-test-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void) st;
    (void) type;
    (void) ftw;
    return remove(path);
}

static void remove_dir(void)
{
    (void) gate_disarm();
    (void) nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(files_fault, .init = make_dir, .fini = remove_dir);

static size_t entries_of(const char *path)
{
    DIR *list = opendir(path);
    size_t count = 0;

    cr_assert_not_null(list);
    while (readdir(list))
        count++;
    (void) closedir(list);
    return count - 2;
}

static size_t open_fds(void)
{
    return entries_of("/proc/self/fd");
}

static const char *path_in(const char *name)
{
    static char path[160];

    (void) snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/*
 * Calls @scene with the N-th call failing, until there are fewer: it returns 0 or a negative errno
 * with a sentence, and has closed all. Then once more, with nothing that fails.
 */
static void sweep(int (*scene)(struct err *err), void (*look)(const char *failed))
{
    const char *failed = "";
    int failures = 0;

    for (int nth = 1; failed; nth++) {
        const size_t fds = open_fds();
        struct err err = {0};
        int r;

        cr_assert_lt(nth, CALLS_MAX);
        gate_arm(nth);
        r = scene(&err);
        failed = gate_disarm();
        failures += r < 0;
        cr_expect(r == 0 || err.text[0], "call %d, %s: no sentence", nth, failed);
        cr_expect_eq(open_fds(), fds, "call %d, %s: descriptors leaked", nth, failed);
        look(failed ? failed : "none");
        err = (struct err){0};
        cr_expect_eq(scene(&err), 0, "after call %d, %s: %s", nth, failed, err.text);
        look("none");
    }
    cr_expect_gt(failures, 2, "hardly anything could fail");
}

/* ---- the agent's store ---- */

static int write_command(struct store *store, uint32_t version, struct err *err)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    Quell__Pb__Command command = QUELL__PB__COMMAND__INIT;

    command.version = version;
    record.kind_case = QUELL__PB__RECORD__KIND_COMMAND;
    record.command = &command;
    return store_write(store, UID_TEXT, "command", &record, false, err);
}

static int write_ending(struct store *store, struct err *err)
{
    Quell__Pb__Record record = QUELL__PB__RECORD__INIT;
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;

    record.kind_case = QUELL__PB__RECORD__KIND_ENDING;
    record.ending = &ending;
    return store_write(store, UID_TEXT, "ending", &record, true, err);
}

/* Version 1 stands, or 2 does: what is read is whole. */
static int replace_command(struct store *store, int fd, struct err *err)
{
    Quell__Pb__Record *record = NULL;
    int r = write_command(store, 1, err);

    r = r < 0 ? r : write_command(store, 2, err);
    r = r < 0 ? r : store_read(fd, "command", &record, err);
    if (record) {
        cr_expect_eq(record->command->version, 2);
        quell__pb__record__free_unpacked(record, NULL);
    }
    return r;
}

static void count_attempt(void *arg, const char *uid_text)
{
    cr_expect_str_eq(uid_text, UID_TEXT);
    (*(int *) arg)++;
}

static int use_attempt(struct store *store, struct err *err)
{
    const int fd = store_open_attempt(store, UID_TEXT, true, err);
    int found = 0, r;

    if (fd < 0)
        return fd;
    r = replace_command(store, fd, err);
    r = r < 0 ? r : write_ending(store, err);
    r = r < 0 ? r : write_ending(store, err); /* the first stands */
    r = r < 0 ? r : store_each(store, count_attempt, &found, err);
    cr_expect(r < 0 || found == 1);
    cr_expect(r < 0 || store_has(fd, "command"), "what can't be looked at may be there");
    (void) close(fd);
    return r < 0 ? r : store_forget(store, UID_TEXT, err);
}

static int store_scene(struct err *err)
{
    struct store store;
    int r = store_open(path_in("a/state"), &store, err);

    r = r < 0 ? r : use_attempt(&store, err);
    store_close(&store);
    return r;
}

/* Whatever is left of the attempt is whole; with a command there is its ending, if there was. */
static void look_at_store(const char *failed)
{
    static const char *const files[] = {"command", "ending"};
    const int fd = open(path_in("a/state/attempts/" UID_TEXT), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    cr_expect(strcmp(failed, "none") != 0, "the attempt was not forgotten");
    for (size_t i = 0; i < 2; i++) {
        Quell__Pb__Record *record = NULL;
        struct err err = {0};
        const int r = store_read(fd, files[i], &record, &err);

        cr_expect(r == 0 || r == -ENOENT, "%s failed: %s: %s", failed, files[i], err.text);
        if (record)
            quell__pb__record__free_unpacked(record, NULL);
    }
    cr_expect_neq(faccessat(fd, "command.tmp", F_OK, 0), 0, "%s failed", failed);
    cr_expect_neq(faccessat(fd, "ending.tmp", F_OK, 0), 0, "%s failed", failed);
    (void) close(fd);
}

Test(files_fault, of_the_agents_records)
{
    sweep(store_scene, look_at_store);
}

/* An attempt that ended may never look as if it had not. */
static int forget_scene(struct err *err)
{
    struct store store;
    int fd, r = store_open(path_in("state"), &store, err);

    fd = r < 0 ? r : store_open_attempt(&store, UID_TEXT, true, err);
    r = fd < 0 ? fd : write_ending(&store, err);
    r = r < 0 ? r : write_command(&store, 1, err);
    r = r < 0 ? r : store_forget(&store, UID_TEXT, err);
    if (fd >= 0)
        (void) close(fd);
    store_close(&store);
    return r;
}

static void look_at_forgotten(const char *failed)
{
    const int fd = open(path_in("state/attempts/" UID_TEXT), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    cr_expect(faccessat(fd, "command", F_OK, 0) != 0 || faccessat(fd, "ending", F_OK, 0) == 0,
              "%s failed: a command without its ending", failed);
    (void) close(fd);
}

Test(files_fault, of_forgetting_an_attempt)
{
    sweep(forget_scene, look_at_forgotten);
}

/* ---- the supervisor's records ---- */

static uint8_t uid[16];
static Quell__Pb__Name name = QUELL__PB__NAME__INIT;

static int record_all(struct attempt *attempt, struct err *err)
{
    Quell__Pb__Started started = QUELL__PB__STARTED__INIT;
    Quell__Pb__Ending ending = QUELL__PB__ENDING__INIT;
    int r = attempt_open(attempt, err);

    r = r < 0 ? r : attempt_record_started(attempt, &started, err);
    if (r < 0)
        return r;
    cr_expect_lt(attempt_record_started(attempt, &started, NULL), 0, "it started twice");
    r = attempt_record_ending(attempt, &ending, err);
    if (r == 0)
        cr_expect_neq(attempt_record_ending(attempt, &ending, NULL), 0, "the first stands");
    return r;
}

static int attempt_scene(struct err *err)
{
    struct attempt attempt = {
        .dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .lock_fd = -1,
        .reserve_fd = -1,
        .name = &name,
        .uid = {.len = sizeof(uid), .data = uid},
        .boot_id = "here",
    };
    int r = attempt.dirfd < 0 ? err_set(err, -errno, "the test's own") : record_all(&attempt, err);

    if (attempt.reserve_fd >= 0)
        (void) close(attempt.reserve_fd);
    if (attempt.lock_fd >= 0)
        (void) close(attempt.lock_fd);
    if (attempt.dirfd >= 0)
        (void) close(attempt.dirfd);
    return r;
}

/* `started` and `ending` are whole or not there; then the way is free for the next scene. */
static void look_at_attempt(const char *failed)
{
    static const char *const files[] = {"started", "ending"};
    static const char *const all[] = {"started", "started.new", "ending", "ending.new", "lock"};
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (size_t i = 0; i < 2; i++) {
        Quell__Pb__Record *record = NULL;
        struct err err = {0};
        const int r = store_read(fd, files[i], &record, &err);

        cr_expect(r == 0 || (r == -ENOENT && strcmp(failed, "none") != 0), "%s failed: %s: %s",
                  failed, files[i], err.text);
        if (record)
            quell__pb__record__free_unpacked(record, NULL);
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        (void) unlinkat(fd, all[i], 0);
    (void) close(fd);
}

Test(files_fault, of_the_supervisors_records)
{
    sweep(attempt_scene, look_at_attempt);
}

/* ---- sockets and locks ---- */

static void leave_stale_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    (void) snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_in("s"));
    (void) bind(fd, (struct sockaddr *) &address, sizeof(address));
    (void) close(fd);
}

static int socket_scene(struct err *err)
{
    struct http_socket *sock = NULL;
    int r;

    leave_stale_socket();
    r = http_socket_open(path_in("s"), 0666, &sock, err);
    if (r == 0)
        (void) close(http_socket_take_fd(sock));
    (void) http_socket_close(sock);
    return r;
}

static void look_at_socket(const char *failed)
{
    const mode_t mode = umask(022);

    cr_expect_eq(mode, 022, "%s failed: the umask is left at %o", failed, (unsigned) mode);
    if (strcmp(failed, "none") == 0)
        cr_expect_eq(entries_of(dir), 0, "something is left");
}

Test(files_fault, of_a_socket)
{
    (void) umask(022);
    sweep(socket_scene, look_at_socket);
}

static int file_scene(struct err *err)
{
    const int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char text[16];
    int lock_fd, r;

    if (dirfd < 0)
        return err_errno(err, -errno, "the test's own");
    lock_fd = lock_take(dirfd, "lock", err);
    r = lock_fd < 0 ? lock_fd : fdio_write_text(dirfd, "lock", "text");
    r = r < 0 ? r : (int) fdio_read_text(dirfd, "lock", text, sizeof(text));
    if (r < 0 && lock_fd >= 0)
        (void) err_errno(err, r, "read and write"); /* fdio has no sentences */
    if (r > 0)
        cr_expect_str_eq(text, "text");
    if (lock_fd >= 0)
        (void) close(lock_fd);
    (void) close(dirfd);
    return r < 0 ? r : 0;
}

static void look_at_nothing(const char *failed)
{
    (void) failed;
}

Test(files_fault, of_locks_and_small_files)
{
    sweep(file_scene, look_at_nothing);
}
