int h(int x) {
  if (x) return 1;
  return 2;
}
