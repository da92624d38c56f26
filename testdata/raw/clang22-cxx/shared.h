#ifndef SHARED_H
#define SHARED_H

#include <vector>

template <typename T> T largest(const std::vector<T> &items) {
  T best{};
  for (const T &item : items)
    if (item > best)
      best = item;
  return best;
}

template <int N> struct Power {
  static int of(int x) { return N % 2 == 0 || x > 3 ? x * Power<N - 1>::of(x) : x; }
};
template <> struct Power<0> {
  static int of(int) { return 1; }
};

#define CHECK(cond, code)                                                      \
  do {                                                                         \
    if (!(cond))                                                               \
      return code;                                                             \
  } while (false)

#define CHECK_RANGE(x, low, high) CHECK((x) >= (low) && (x) <= (high), -1)

struct Shape {
  virtual ~Shape() = default;
  virtual int area() const = 0;
  int doubled() const { return area() * 2; }
};

struct Square : Shape {
  explicit Square(int side) : side(side) {}
  int area() const override { return side * side; }
  int side;
};

inline int shared_inline(int n) {
  if (n < 0)
    return -n;
  return n;
}

int second(int n);

#endif
