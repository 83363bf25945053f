// An open-addressing table whose slots hold short words themselves, and a splitter that works on 64 bytes at a time:
// a bit per byte that ends a word, whose changes are where words begin and end. So a word costs a few nanoseconds and
// no branch on its characters.
#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <random>

#include "core/error.h"

namespace pl::text {
namespace {

constexpr size_t kPadding = 64 + 8;  // a block is read whole, a word by eight bytes
constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;

// Differs by process, so that no text can be made to fill one place of the table. Results do not depend on it.
uint64_t seed() {
  static const uint64_t value = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  return value;
}

uint64_t load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

uint64_t mixed(uint64_t h) {
  h *= kMix;
  return h ^ (h >> 32);
}

// Reads up to 7 bytes behind the word.
uint64_t key_of(const char* word, size_t length) {
  if (length <= 8) return length == 0 ? 0 : load8(word) & (~uint64_t{0} >> (64 - 8 * length));
  uint64_t h = seed() + length;
  for (; length > 8; word += 8, length -= 8) h = mixed(h ^ load8(word));
  return mixed(h ^ key_of(word, length));
}

uint64_t hash_of(uint64_t key, size_t length) { return mixed(key ^ (seed() + length)); }

size_t character_length(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// f(word, length) for the words of a piece; `scratch` holds it lowered, with room behind.
template <class F>
void each_word(const Piece& piece, const Rule& rule, std::vector<char>& scratch, F&& f) {
  const size_t n = piece.text.size();
  if (scratch.size() < n + kPadding) scratch.resize(n + kPadding);
  char* const out = scratch.data();
  const auto* in = reinterpret_cast<const unsigned char*>(piece.text.data());
  if (piece.word || rule.characters) {
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<char>(rule.becomes[in[i]]);
    if (piece.word) return f(out, n);
    for (size_t i = 0, step; i < n; i += step) {
      step = std::min(character_length(in[i]), n - i);
      f(out + i, step);
    }
    return;
  }
  uint64_t before = 1;  // did the byte before this block end a word?
  size_t open = 0;
  bool inside = false;
  for (size_t base = 0; base < n; base += 64) {
    const size_t m = std::min<size_t>(64, n - base);
    uint64_t ends = m == 64 ? 0 : ~uint64_t{0} << m;
    for (size_t k = 0; k < m; ++k) {
      const unsigned char c = rule.becomes[in[base + k]];
      out[base + k] = static_cast<char>(c);
      ends |= uint64_t{rule.ends[c]} << k;
    }
    for (uint64_t changes = ends ^ ((ends << 1) | before); changes != 0; changes &= changes - 1) {
      const size_t at = base + static_cast<size_t>(std::countr_zero(changes));
      if (inside) f(out + open, at - open);
      open = at;
      inside = !inside;
    }
    before = ends >> 63;
  }
  if (inside) f(out + open, n - open);
}

}  // namespace

Rule::Rule(std::string_view separators, bool lower, bool characters) : ends{}, characters(characters) {
  for (int c = 0; c < 256; ++c) becomes[c] = static_cast<uint8_t>(lower && c >= 'A' && c <= 'Z' ? c + 32 : c);
  for (const char c : separators) ends[static_cast<unsigned char>(c)] = 1;
}

Vocabulary::Vocabulary() : slots_(64, Slot{0, 0, -1}) {}

std::string_view Vocabulary::word(int64_t id) const {
  return {bytes_.data() + words_[id].start, static_cast<size_t>(words_[id].length)};
}

const Vocabulary::Slot& Vocabulary::probe(const char* word, uint32_t length, uint64_t key,
                                          uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.id < 0) return slot;
    if (slot.key == key && slot.length == length &&
        (length <= 8 || std::memcmp(bytes_.data() + words_[slot.id].start, word, length) == 0))
      return slot;
  }
}

int64_t Vocabulary::find(const char* word, size_t length) const {
  const uint64_t key = key_of(word, length);
  return probe(word, static_cast<uint32_t>(length), key, hash_of(key, length)).id;
}

int64_t Vocabulary::insert(const char* word, size_t length) {
  const uint64_t key = key_of(word, length);
  const Slot& slot = probe(word, static_cast<uint32_t>(length), key, hash_of(key, length));
  if (slot.id >= 0) return slot.id;
  if (length > UINT32_MAX || words_.size() >= INT32_MAX)
    raise<ValueError>("[Tokenizer] a word longer than 4 GiB, or more than 2**31 different words");
  const auto id = static_cast<int32_t>(words_.size());
  words_.push_back({static_cast<int64_t>(bytes_.size()), static_cast<int64_t>(length), 0, 0, -1});
  bytes_.insert(bytes_.end(), word, word + length);
  const_cast<Slot&>(slot) = {key, static_cast<uint32_t>(length), id};
  if (words_.size() * 2 > slots_.size()) grow();
  return id;
}

void Vocabulary::grow() {
  const std::vector<Slot> old = std::move(slots_);
  slots_.assign(old.size() * 4, Slot{0, 0, -1});
  const size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.id < 0) continue;
    size_t i = hash_of(slot.key, slot.length) & mask;
    while (slots_[i].id >= 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

void Vocabulary::count(const Documents& documents, const Rule& rule) {
  std::vector<char> scratch;
  for (int64_t d = 0; d < documents.size(); ++d, ++read_)
    for (int64_t p = documents.starts[d]; p < documents.starts[d + 1]; ++p)
      each_word(documents.pieces[p], rule, scratch, [&](const char* word, size_t length) {
        Word& w = words_[insert(word, length)];
        ++w.count;
        w.documents += w.last != read_;
        w.last = read_;
      });
}

void Vocabulary::add(std::string_view word, int64_t count, int64_t documents) {
  std::vector<char> padded(word.size() + kPadding);
  std::copy(word.begin(), word.end(), padded.begin());
  Word& w = words_[insert(padded.data(), word.size())];
  w.count += count;
  w.documents += documents;
}

std::vector<int64_t> Vocabulary::by_count() const {
  std::vector<int64_t> order(words_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return words_[a].count > words_[b].count; });
  return order;
}

Encoded Vocabulary::encode(const Documents& documents, const Rule& rule, int64_t limit, int64_t other) const {
  std::vector<int64_t> numbers(numbers_);
  numbers.resize(words_.size(), kNone);
  for (int64_t& number : numbers)
    if (number == kNone || (limit > 0 && number >= limit)) number = other;
  Encoded out;
  std::vector<char> scratch;
  out.starts.reserve(documents.starts.size());
  for (int64_t d = 0; d < documents.size(); ++d) {
    for (int64_t p = documents.starts[d]; p < documents.starts[d + 1]; ++p)
      each_word(documents.pieces[p], rule, scratch, [&](const char* word, size_t length) {
        const int64_t id = find(word, length);
        const int64_t number = id < 0 ? other : numbers[id];
        if (number != kNone) out.values.push_back(number);
      });
    out.starts.push_back(static_cast<int64_t>(out.values.size()));
  }
  return out;
}

Counts count_numbers(const int64_t* values, const int64_t* starts, int64_t rows, int64_t columns) {
  Counts out;
  std::vector<int64_t> counts(columns, 0), seen;
  for (int64_t r = 0; r < rows; ++r) {
    seen.clear();
    for (int64_t i = starts[r]; i < starts[r + 1]; ++i) {
      const int64_t v = values[i];
      if (v < 0 || v >= columns) continue;
      if (counts[v]++ == 0) seen.push_back(v);
    }
    std::sort(seen.begin(), seen.end());
    for (const int64_t v : seen) {
      out.columns.push_back(v);
      out.values.push_back(counts[v]);
      counts[v] = 0;
    }
    out.starts.push_back(static_cast<int64_t>(out.columns.size()));
  }
  return out;
}

}  // namespace pl::text
