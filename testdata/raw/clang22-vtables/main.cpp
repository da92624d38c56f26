// Value profiling of vtables: virtual calls on three classes through one base.
#include <cstdio>
#include <cstdlib>

struct Animal {
  virtual ~Animal() {}
  virtual int legs() const { return 4; }
};

struct Bird : Animal {
  int legs() const override { return 2; }
};

namespace {
struct Spider : Animal {
  int legs() const override { return 8; }
};
} // namespace

__attribute__((noinline)) Animal *make(int n) {
  switch (n % 3) {
  case 0:
    return new Animal;
  case 1:
    return new Bird;
  default:
    return new Spider;
  }
}

__attribute__((noinline)) int count(const Animal *animal) { return animal->legs(); }

int main(int argc, char **argv) {
  int total = 0;
  for (int i = 1; i < argc; i++) {
    Animal *animal = make(std::atoi(argv[i]));
    total += count(animal);
    delete animal;
  }
  std::printf("%d\n", total);
  return 0;
}
