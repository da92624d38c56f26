// A small program for coverage: templates, lambdas, nested macros, exceptions, two translation units.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "shared.h"

namespace {

int checked(int n) {
  CHECK_RANGE(n, 0, 100);
  CHECK(n != 13, -2);
  return n;
}

int may_throw(int n) {
  if (n == 7)
    throw std::runtime_error("seven");
  return n;
}

} // namespace

int main(int argc, char **argv) {
  std::vector<int> numbers;
  std::vector<double> halves;
  auto add = [&](int n) {
    if (n % 2 == 0)
      halves.push_back(n / 2.0);
    numbers.push_back(n);
  };
  auto generic = [](auto a, auto b) { return a < b ? a : b; };
  for (int i = 1; i < argc; i++)
    add(std::atoi(argv[i]));
  int total = 0;
  for (int n : numbers) {
    try {
      total += may_throw(n);
    } catch (const std::runtime_error &) {
      total -= 1;
    }
    total += checked(n) + shared_inline(n) + second(n);
  }
  std::unique_ptr<Shape> shape = std::make_unique<Square>(argc);
  std::printf("%d %d %.1f %d %d %.1f\n", total, largest(numbers), largest(halves),
              Power<3>::of(argc), generic(argc, 3), generic(0.5, argc * 0.2));
  if constexpr (sizeof(int) == 2)
    return 3;
  return shape->doubled() > 1000 ? 1 : 0;
}
