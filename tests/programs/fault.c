/* Preloaded into a program, makes one of its calls fail, ends it there, or changes a file under it.

   FAULT_PROGRAM  the program's name; in others, such as those that it runs, nothing is done
   FAULT_FOLDER   only calls on files in this folder count, and writes to standard output
   FAULT_NAME     if it is set, only those on files that have this in their path
   FAULT_AT       the number of the call, from 1
   FAULT          what happens there:
                  ENOSPC, EIO, EMFILE, EACCES: the call fails; with a `+` after it, all later ones as well.
                  Only calls count that can fail in this way.
                  kill: SIGKILL before a call that changes a file, or in the middle of a write
                  mmap: a file is not mapped
                  shrink, grow, vanish, replace, rewrite: a profile is changed before a call that looks at it,
                  to what FAULT_WITH holds for the last two
   FAULT_LOG      a line is written to this file when it happens: the call, and its file
   CLOCK_AT       seconds since 1970 at which the system's clock stands still */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* What a call does to a file. */
enum { LOOKS = 1, READS = 2, OPENS = 4, MAKES = 8, WRITES = 16, SYNCS = 32, NAMES = 64, REMOVES = 128, MAPS = 256 };

enum fault { NONE, FAILS, KILLS, CHANGES };

static enum fault fault;
static int calls, error, stays;
static const char *folder, *name, *how, *with, *log_path;
static atomic_long left;
static long clock_at;

static void raw_write(int file, const char *text) { syscall(SYS_write, file, text, strlen(text)); }

__attribute__((constructor)) static void begin(void) {
  const char *program = getenv("FAULT_PROGRAM"), *at = getenv("FAULT_AT"), *clock = getenv("CLOCK_AT");
  if (!program || strcmp(program, program_invocation_short_name))
    return;
  if (clock)
    clock_at = atol(clock);
  folder = getenv("FAULT_FOLDER");
  name = getenv("FAULT_NAME");
  how = getenv("FAULT");
  with = getenv("FAULT_WITH");
  log_path = getenv("FAULT_LOG");
  if (!folder || !how || !log_path || !at)
    return;
  atomic_store(&left, atol(at));
  stays = how[strlen(how) - 1] == '+';
  if (!strncmp(how, "ENOSPC", 6)) {
    error = ENOSPC;
    calls = MAKES | WRITES | SYNCS;
  } else if (!strncmp(how, "EIO", 3)) {
    error = EIO;
    calls = READS | OPENS | WRITES | SYNCS | NAMES | REMOVES;
  } else if (!strncmp(how, "EMFILE", 6)) {
    error = EMFILE;
    calls = OPENS;
  } else if (!strncmp(how, "EACCES", 6)) {
    error = EACCES;
    calls = OPENS | MAKES | NAMES | REMOVES;
  }
  else if (!strcmp(how, "mmap")) {
    error = ENODEV;
    calls = MAPS;
  }
  if (error)
    fault = FAILS;
  else if (!strcmp(how, "kill")) {
    calls = MAKES | WRITES | SYNCS | NAMES | REMOVES;
    fault = KILLS;
  } else {
    calls = LOOKS | READS | OPENS;
    fault = CHANGES;
  }
}

static void note(const char *call, const char *path) {
  int file = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0)
    return;
  raw_write(file, call);
  raw_write(file, " ");
  raw_write(file, path);
  raw_write(file, "\n");
  syscall(SYS_close, file);
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;)
    pause();
}

static void copy(const char *from, int to) {
  char bytes[4096];
  int file = syscall(SYS_openat, AT_FDCWD, from, O_RDONLY);
  for (ssize_t count; file >= 0 && (count = syscall(SYS_read, file, bytes, sizeof bytes)) > 0;)
    syscall(SYS_write, to, bytes, count);
  syscall(SYS_close, file);
}

static void change(const char *path) {
  struct stat now;
  if (stat(path, &now))
    return;
  if (!strcmp(how, "vanish")) {
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  } else if (!strcmp(how, "shrink")) {
    syscall(SYS_truncate, path, now.st_size * 2 / 3);
  } else if (!strcmp(how, "grow")) {
    int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND);
    raw_write(file, "and more that was not there before");
    syscall(SYS_close, file);
  } else if (!strcmp(how, "rewrite")) {
    int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY);
    copy(with, file);
    syscall(SYS_close, file);
  } else if (!strcmp(how, "replace")) {
    char beside[PATH_MAX + 8];
    snprintf(beside, sizeof beside, "%s.new", path);
    int file = syscall(SYS_openat, AT_FDCWD, beside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    copy(with, file);
    syscall(SYS_close, file);
    syscall(SYS_renameat2, AT_FDCWD, beside, AT_FDCWD, path, 0);
  }
}

/* Counts a call; true if it is the one. A path that is not absolute is relative to the folder. */
static int is_it(int what, const char *call, const char *path) {
  if (!fault || !(calls & what))
    return 0;
  int is_inside = path[0] != '/' || !strncmp(path, folder, strlen(folder));
  if (!is_inside || (name && !strstr(path, name)))
    return 0;
  long now = atomic_fetch_sub(&left, 1);
  if (now != 1 && !(stays && now < 1))
    return 0;
  note(call, path);
  if (fault == CHANGES) {
    char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s%s%s", path[0] == '/' ? "" : folder, path[0] == '/' ? "" : "/", path);
    change(whole);
    return 0;
  }
  return 1;
}

static int is_it_of(int what, const char *call, int file) {
  char link[64], path[PATH_MAX];
  if (!fault || !(calls & what))
    return 0;
  if (file == STDOUT_FILENO)
    return is_it(what, call, "standard output");
  if (file < 3)
    return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 1 || path[0] != '/')
    return 0;
  path[length] = 0;
  return is_it(what, call, path);
}

/* What happens to the call that is the one. */
static int fail(void) {
  if (fault == KILLS)
    die();
  errno = error;
  return -1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OF_PATH(type, name, what, path, params, args)                                              \
  type name params {                                                                               \
    if (is_it(what, #name, path))                                                                  \
      return fail();                                                                               \
    return NEXT(name) args;                                                                        \
  }
#define OF_FILE(type, name, what, params, args)                                                    \
  type name params {                                                                               \
    if (is_it_of(what, #name, file))                                                               \
      return fail();                                                                               \
    return NEXT(name) args;                                                                        \
  }

OF_PATH(int, rename, NAMES, from, (const char *from, const char *to), (from, to))
OF_PATH(int, unlink, REMOVES, path, (const char *path), (path))
OF_PATH(int, unlinkat, REMOVES, path, (int at, const char *path, int flags), (at, path, flags))
OF_PATH(int, rmdir, REMOVES, path, (const char *path), (path))
OF_PATH(int, mkdir, MAKES, path, (const char *path, mode_t mode), (path, mode))
OF_FILE(int, fsync, SYNCS, (int file), (file))
OF_FILE(int, fdatasync, SYNCS, (int file), (file))
OF_FILE(int, ftruncate64, WRITES, (int file, off64_t length), (file, length))
OF_FILE(ssize_t, read, READS, (int file, void *bytes, size_t count), (file, bytes, count))
OF_FILE(ssize_t, pread64, READS, (int file, void *bytes, size_t count, off64_t at), (file, bytes, count, at))
OF_FILE(ssize_t, writev, WRITES, (int file, const struct iovec *parts, int count), (file, parts, count))

/* Of a write that is the one, half is done. */
ssize_t write(int file, const void *bytes, size_t count) {
  if (is_it_of(WRITES, "write", file)) {
    if (fault == KILLS)
      NEXT(write)(file, bytes, count / 2);
    return fail();
  }
  return NEXT(write)(file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
  if (is_it_of(WRITES, "pwrite64", file)) {
    if (fault == KILLS)
      NEXT(pwrite64)(file, bytes, count / 2, at);
    return fail();
  }
  return NEXT(pwrite64)(file, bytes, count, at);
}

static int opening(int flags) { return flags & O_CREAT ? OPENS | MAKES : OPENS; }

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, mode_t);
  va_end(list);
  if (is_it(opening(flags), "open64", path))
    return fail();
  return NEXT(open64)(path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, mode_t);
  va_end(list);
  if (is_it(opening(flags), "openat64", path))
    return fail();
  return NEXT(openat64)(at, path, flags, mode);
}

void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset) {
  if (file >= 0 && is_it_of(MAPS, "mmap", file)) {
    fail();
    return MAP_FAILED;
  }
  return NEXT(mmap)(at, length, protection, flags, file, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int file, off64_t offset) {
  if (file >= 0 && is_it_of(MAPS, "mmap64", file)) {
    fail();
    return MAP_FAILED;
  }
  return NEXT(mmap64)(at, length, protection, flags, file, offset);
}

DIR *opendir(const char *path) {
  if (is_it(OPENS, "opendir", path)) {
    fail();
    return NULL;
  }
  return NEXT(opendir)(path);
}

int statx(int at, const char *restrict path, int flags, unsigned mask, struct statx *restrict found) {
  /* Rust asks with nothing whether there is such a call, against what its declaration says. */
  const char *volatile given = path;
  if (!given)
    return NEXT(statx)(at, path, flags, mask, found);
  if (path[0])
    is_it(LOOKS, "statx", path);
  else
    is_it_of(LOOKS, "statx", at);
  return NEXT(statx)(at, path, flags, mask, found);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = NEXT(clock_gettime)(clock, now);
  if (clock == CLOCK_REALTIME && clock_at) {
    now->tv_sec = clock_at;
    now->tv_nsec = 0;
  }
  return result;
}
