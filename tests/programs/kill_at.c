/* Preloaded into a program, ends it as `kill -9` would at the N-th call (KILL_AT) that changes the
   file system: before it, and in the middle of a write. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int is_the_one(void) {
  static long left = -1;
  if (left < 0) {
    const char *text = getenv("KILL_AT");
    left = text ? atol(text) : 0;
  }
  return left > 0 && --left == 0;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;)
    pause();
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define BEFORE(type, name, params, args)                                                           \
  type name params {                                                                               \
    if (is_the_one())                                                                              \
      die();                                                                                       \
    return NEXT(name) args;                                                                        \
  }

BEFORE(int, rename, (const char *from, const char *to), (from, to))
BEFORE(int, unlink, (const char *path), (path))
BEFORE(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
BEFORE(int, rmdir, (const char *path), (path))
BEFORE(int, mkdir, (const char *path, mode_t mode), (path, mode))
BEFORE(int, fsync, (int file), (file))

ssize_t write(int file, const void *bytes, size_t count) {
  if (file > 2 && is_the_one()) {
    NEXT(write)(file, bytes, count / 2);
    die();
  }
  return NEXT(write)(file, bytes, count);
}

int open64(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = va_arg(list, mode_t);
  va_end(list);
  if ((flags & O_CREAT) && is_the_one())
    die();
  return NEXT(open64)(path, flags, mode);
}
