static int same_name(int n) { return n ? n * 2 : 0; }

int library_work(int n) {
  if (n > 10)
    return same_name(n);
  return 0;
}

int library_unused(void) { return 7; }
