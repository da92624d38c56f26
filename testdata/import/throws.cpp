#include <stdexcept>

template <class T> T checked(T value) {
    if (value > 1) throw std::out_of_range("more than one");
    return value;
}
template <class T> T tried(T value) {
    try {
        return checked(value);
    } catch (const std::exception &) {
        return 0;
    }
}

int main() { return tried(2) + int(tried(0.5)); }
