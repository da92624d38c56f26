static inline int common(int n) {
  if (n > 3)
    return n * 2;
  return n;
}

static inline int only_in_one(int n) { return n + 1; }
