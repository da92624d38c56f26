#ifndef UTIL_H
#define UTIL_H

static inline int clamp(int n, int top) {
  if (n > top)
    return top;
  return n;
}

static inline int unused_in_header(int n) { return n ? 1 : 0; }

#endif
