/* Counts the write-class calls that a process makes on files below given directories, writes each
 * to a log, and kills the process at the N-th, or lets the N-th fail.
 *
 * To be named in LD_PRELOAD. It sees what goes through the C library, SQLite's calls included;
 * stores into mapped memory (SQLite's -shm) are no calls, and nobody can stop at them.
 *
 *   SWEEP_LOG     file to append a line per call to; without it the library does nothing
 *   SWEEP_ROOTS   absolute directories with ':' between; the number of the one that holds the
 *                 file is the call's area
 *   SWEEP_CALL    name of the calls to count for SWEEP_AT; without it all
 *   SWEEP_PATH    how the paths of the calls to count for SWEEP_AT end; without it all
 *   SWEEP_AT      number of the call to strike at, from 1; 0 or nothing only counts
 *   SWEEP_ACTION  kill      SIGKILL instead of the call
 *                 torn      SIGKILL after half of the bytes (a call without bytes: like kill)
 *                 fail      the call fails with SWEEP_ERRNO
 *                 short     half of the bytes are written, and said to be (else like fail)
 *   SWEEP_ERRNO   number of the error
 *   SWEEP_THEN    once      only the one call is struck (after `short`: and the one that follows)
 *                 area      all later calls of its area fail too: a disk
 *                 all       all later calls fail too
 *   SWEEP_BYTES   1 to log the written bytes in hexadecimal
 *
 * A line: number, call, area, path, second path or -, count of bytes, what was done, bytes or -;
 * tabs between. Calls go one after another, so the order of lines is the order of calls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#if !defined(__linux__) || __SIZEOF_LONG__ != 8
#error "raw calls are written for 64-bit Linux"
#endif

enum { MAX_ROOTS = 8, LOG_NUMBER = 900, PATHS = 2 * PATH_MAX + 32 };
enum verdict { PASS, HALF, REFUSE };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static char *roots[MAX_ROOTS];
static int root_count, log_file = -1, struck_area = -1, error_number;
static long calls, candidates, strike_at;
static const char *action = "", *then = "once", *wanted_call = "", *wanted_path = "";
static int logs_bytes, owes_error, has_struck;

static const char *setting(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = setting("SWEEP_LOG", NULL);
    if (!path)
        return;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0)
        abort();
    /* A high number: the program under test must get the numbers it always gets. */
    log_file = fcntl(file, F_DUPFD_CLOEXEC, LOG_NUMBER);
    if (log_file < 0)
        abort();
    close(file);
    char *list = strdup(setting("SWEEP_ROOTS", ""));
    for (char *root = strtok(list, ":"); root && root_count < MAX_ROOTS; root = strtok(NULL, ":"))
        roots[root_count++] = root;
    strike_at = atol(setting("SWEEP_AT", "0"));
    wanted_call = setting("SWEEP_CALL", "");
    wanted_path = setting("SWEEP_PATH", "");
    action = setting("SWEEP_ACTION", "kill");
    then = setting("SWEEP_THEN", "once");
    error_number = atoi(setting("SWEEP_ERRNO", "5"));
    logs_bytes = *setting("SWEEP_BYTES", "0") == '1';
}

static int area_of(const char *path)
{
    for (int i = 0; i < root_count; i++) {
        size_t length = strlen(roots[i]);
        if (!strncmp(path, roots[i], length) && (path[length] == '/' || !path[length]))
            return i;
    }
    return -1;
}

static void path_of_file(int file, char *out)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    out[length < 0 ? 0 : length] = 0;
}

static void path_at(int directory, const char *path, char *out)
{
    char base[PATH_MAX] = "";
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return;
    }
    if (directory == AT_FDCWD) {
        if (syscall(SYS_getcwd, base, sizeof base) < 0)
            base[0] = 0;
    } else {
        path_of_file(directory, base);
    }
    if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX)
        out[0] = 0;
}

static void put(const char *text, size_t length)
{
    while (length) {
        ssize_t done = syscall(SYS_write, log_file, text, length);
        if (done <= 0)
            abort();
        text += done;
        length -= (size_t)done;
    }
}

static void log_call(const char *name, int area, const char *path, const char *second, size_t size,
                     const char *what, const void *bytes)
{
    static char line[PATHS + 128];
    int length = snprintf(line, sizeof line, "%ld\t%s\t%d\t%s\t%s\t%zu\t%s\t", calls, name, area,
                          path, second ? second : "-", size, what);
    put(line, (size_t)length);
    if (logs_bytes && bytes && size) {
        char *hex = malloc(2 * size + 1);
        for (size_t i = 0; i < size; i++)
            sprintf(hex + 2 * i, "%02x", ((const unsigned char *)bytes)[i]);
        put(hex, 2 * size);
        free(hex);
    } else {
        put("-", 1);
    }
    put("\n", 1);
}

static int is_candidate(const char *name, const char *path)
{
    size_t length = strlen(path), wanted = strlen(wanted_path);
    return (!*wanted_call || !strcmp(name, wanted_call)) && length >= wanted &&
           !strcmp(path + length - wanted, wanted_path);
}

static void die(void)
{
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

/* Decide about a call on `path`; the turn is taken, and is kept when the file is none of ours. */
static enum verdict judge(const char *name, const char *path, const char *second, size_t size,
                          const void *bytes)
{
    int area = area_of(path);
    if (area < 0 && second)
        area = area_of(second);
    if (area < 0)
        return PASS;
    calls++;
    int is_the_one = is_candidate(name, path) && ++candidates == strike_at;
    if (is_the_one && !strcmp(action, "kill")) {
        log_call(name, area, path, second, size, "killed", bytes);
        die();
    }
    if (is_the_one && !strcmp(action, "torn")) {
        log_call(name, area, path, second, size, "torn", bytes);
        if (size < 2)
            die();
        return HALF;
    }
    int is_later = has_struck;
    if (is_the_one) {
        has_struck = 1;
        struck_area = area;
        if (!strcmp(action, "short") && size > 1) {
            owes_error = 1;
            log_call(name, area, path, second, size, "short", bytes);
            return HALF;
        }
    }
    int is_same_disk = is_later && area == struck_area;
    int still = (is_later && !strcmp(then, "all")) ||
                (is_same_disk && (owes_error || !strcmp(then, "area")));
    if (is_the_one || still) {
        owes_error = 0;
        log_call(name, area, path, second, size, "failed", bytes);
        return REFUSE;
    }
    log_call(name, area, path, second, size, "passed", bytes);
    return PASS;
}

static int is_watching(void)
{
    return log_file >= 0;
}

static ssize_t refused(void)
{
    pthread_mutex_unlock(&turn);
    errno = error_number;
    return -1;
}

static ssize_t done(ssize_t result)
{
    int number = errno;
    pthread_mutex_unlock(&turn);
    errno = number;
    return result;
}

static ssize_t on_bytes(const char *name, int file, const void *bytes, size_t size, off_t at)
{
    char path[PATH_MAX];
    int is_positioned = at >= 0;
    if (!is_watching())
        return is_positioned ? syscall(SYS_pwrite64, file, bytes, size, at)
                             : syscall(SYS_write, file, bytes, size);
    pthread_mutex_lock(&turn);
    path_of_file(file, path);
    enum verdict verdict = judge(name, path, NULL, size, bytes);
    if (verdict == REFUSE)
        return refused();
    if (verdict == HALF)
        size /= 2;
    ssize_t result = is_positioned ? syscall(SYS_pwrite64, file, bytes, size, at)
                                   : syscall(SYS_write, file, bytes, size);
    if (verdict == HALF && !strcmp(action, "torn"))
        die();
    return done(result);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    return on_bytes("write", file, bytes, size, -1);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at)
{
    return on_bytes("pwrite64", file, bytes, size, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at)
{
    return on_bytes("pwrite64", file, bytes, size, at);
}

static size_t size_of(const struct iovec *parts, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    return size;
}

static ssize_t on_parts(const char *name, int file, const struct iovec *parts, int count, off_t at)
{
    char path[PATH_MAX];
    int is_positioned = at >= 0;
    if (is_watching()) {
        pthread_mutex_lock(&turn);
        path_of_file(file, path);
        enum verdict verdict = judge(name, path, NULL, size_of(parts, count), NULL);
        if (verdict == REFUSE)
            return refused();
        if (verdict == HALF) {
            size_t half = parts[0].iov_len / 2;
            ssize_t result = is_positioned ? syscall(SYS_pwrite64, file, parts[0].iov_base, half, at)
                                           : syscall(SYS_write, file, parts[0].iov_base, half);
            if (!strcmp(action, "torn"))
                die();
            return done(result);
        }
    }
    ssize_t result = is_positioned ? syscall(SYS_pwritev, file, parts, count, at, 0)
                                   : syscall(SYS_writev, file, parts, count);
    return is_watching() ? done(result) : result;
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return on_parts("writev", file, parts, count, -1);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at)
{
    return on_parts("pwritev", file, parts, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at)
{
    return on_parts("pwritev", file, parts, count, at);
}

static int on_file(const char *name, int number, int file, off_t argument)
{
    char path[PATH_MAX];
    if (!is_watching())
        return (int)syscall(number, file, argument);
    pthread_mutex_lock(&turn);
    path_of_file(file, path);
    if (judge(name, path, NULL, 0, NULL) != PASS)
        return (int)refused();
    return (int)done(syscall(number, file, argument));
}

int fsync(int file)
{
    return on_file("fsync", SYS_fsync, file, 0);
}

int fdatasync(int file)
{
    return on_file("fdatasync", SYS_fdatasync, file, 0);
}

int ftruncate(int file, off_t size)
{
    return on_file("ftruncate", SYS_ftruncate, file, size);
}

int ftruncate64(int file, off64_t size)
{
    return on_file("ftruncate", SYS_ftruncate, file, size);
}

static int on_path(const char *name, int number, int directory, const char *path, long first,
                   long second)
{
    char full[PATH_MAX];
    if (!is_watching())
        return (int)syscall(number, directory, path, first, second);
    pthread_mutex_lock(&turn);
    path_at(directory, path, full);
    if (judge(name, full, NULL, 0, NULL) != PASS)
        return (int)refused();
    return (int)done(syscall(number, directory, path, first, second));
}

int unlink(const char *path)
{
    return on_path("unlink", SYS_unlinkat, AT_FDCWD, path, 0, 0);
}

int unlinkat(int directory, const char *path, int flags)
{
    return on_path("unlink", SYS_unlinkat, directory, path, flags, 0);
}

int rmdir(const char *path)
{
    return on_path("rmdir", SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR, 0);
}

int mkdir(const char *path, mode_t mode)
{
    return on_path("mkdir", SYS_mkdirat, AT_FDCWD, path, mode, 0);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
    return on_path("mkdir", SYS_mkdirat, directory, path, mode, 0);
}

static int on_truncate(const char *path, off_t size)
{
    char full[PATH_MAX];
    if (!is_watching())
        return (int)syscall(SYS_truncate, path, size);
    pthread_mutex_lock(&turn);
    path_at(AT_FDCWD, path, full);
    if (judge("truncate", full, NULL, 0, NULL) != PASS)
        return (int)refused();
    return (int)done(syscall(SYS_truncate, path, size));
}

int truncate(const char *path, off_t size)
{
    return on_truncate(path, size);
}

int truncate64(const char *path, off64_t size)
{
    return on_truncate(path, size);
}

static int on_two_paths(const char *name, int number, int from_directory, const char *from,
                        int to_directory, const char *to, unsigned flags)
{
    char full[PATH_MAX], second[PATH_MAX];
    if (!is_watching())
        return (int)syscall(number, from_directory, from, to_directory, to, flags);
    pthread_mutex_lock(&turn);
    path_at(from_directory, from, full);
    path_at(to_directory, to, second);
    if (judge(name, full, second, 0, NULL) != PASS)
        return (int)refused();
    return (int)done(syscall(number, from_directory, from, to_directory, to, flags));
}

int rename(const char *from, const char *to)
{
    return on_two_paths("rename", SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    return on_two_paths("rename", SYS_renameat2, from_directory, from, to_directory, to, 0);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to,
              unsigned flags)
{
    return on_two_paths("rename", SYS_renameat2, from_directory, from, to_directory, to, flags);
}

int link(const char *from, const char *to)
{
    return on_two_paths("link", SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* Opening counts where it creates or empties a file. */
static int on_open(int directory, const char *path, int flags, mode_t mode)
{
    char full[PATH_MAX];
    if (!is_watching() || !(flags & (O_CREAT | O_TRUNC)))
        return (int)syscall(SYS_openat, directory, path, flags, mode);
    pthread_mutex_lock(&turn);
    path_at(directory, path, full);
    int creates = flags & O_CREAT && syscall(SYS_faccessat, directory, path, F_OK) < 0;
    if ((creates || flags & O_TRUNC) && judge("create", full, NULL, 0, NULL) != PASS)
        return (int)refused();
    return (int)done(syscall(SYS_openat, directory, path, flags, mode));
}

#define OPEN(NAME)                                          \
    int NAME(const char *path, int flags, ...)              \
    {                                                       \
        va_list more;                                       \
        va_start(more, flags);                              \
        mode_t mode = va_arg(more, mode_t);                 \
        va_end(more);                                       \
        return on_open(AT_FDCWD, path, flags, mode);        \
    }
#define OPEN_AT(NAME)                                           \
    int NAME(int directory, const char *path, int flags, ...)   \
    {                                                           \
        va_list more;                                           \
        va_start(more, flags);                                  \
        mode_t mode = va_arg(more, mode_t);                     \
        va_end(more);                                           \
        return on_open(directory, path, flags, mode);           \
    }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

int creat(const char *path, mode_t mode)
{
    return on_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
