// Words by number, counted as texts are read: the core of the tokenizer.
//
// Texts are UTF-8. Only ASCII bytes are lowered or end a word here, so a character of several bytes passes through
// whole; the caller lowers those.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pl::text {

// How a text falls into words.
struct Rule {
  Rule(std::string_view separators, bool lower, bool characters);
  std::array<uint8_t, 256> becomes;  // each byte, lowered or as it is
  std::array<uint8_t, 256> ends;     // 1: ends a word
  bool characters;                   // every character is a word
};

struct Piece {
  std::string_view text;
  bool word;  // one word as it stands, whatever it contains
};

// Document d is pieces[starts[d]] up to pieces[starts[d + 1]].
struct Documents {
  std::vector<Piece> pieces;
  std::vector<int64_t> starts{0};
  int64_t size() const { return static_cast<int64_t>(starts.size()) - 1; }
};

// The numbers of document d: values[starts[d]] up to values[starts[d + 1]].
struct Encoded {
  std::vector<int64_t> values;
  std::vector<int64_t> starts{0};
};

inline constexpr int64_t kNone = INT64_MIN;  // no number: the word is left out

class Vocabulary {
 public:
  Vocabulary();
  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  std::string_view word(int64_t id) const;
  int64_t count(int64_t id) const { return words_[id].count; }
  int64_t documents(int64_t id) const { return words_[id].documents; }

  void count(const Documents& documents, const Rule& rule);
  void add(std::string_view word, int64_t count, int64_t documents);  // to what is counted already
  std::vector<int64_t> by_count() const;                              // most frequent first, then first seen

  // What encode() gives for each word, in the order they were first seen.
  void set_numbers(std::vector<int64_t> numbers) { numbers_ = std::move(numbers); }
  // Words that are unknown, or whose number reaches `limit` (0: no limit), become `other`.
  Encoded encode(const Documents& documents, const Rule& rule, int64_t limit, int64_t other) const;

 private:
  struct Word {
    int64_t start, length;  // in bytes_
    int64_t count, documents, last;
  };
  struct Slot {
    uint64_t key;  // of a word of up to 8 bytes, these; of a longer one, its hash
    uint32_t length;
    int32_t id;  // -1: free
  };
  int64_t find(const char* word, size_t length) const;
  int64_t insert(const char* word, size_t length);
  const Slot& probe(const char* word, uint32_t length, uint64_t key, uint64_t hash) const;
  void grow();

  std::vector<Word> words_;
  std::vector<char> bytes_;
  std::vector<Slot> slots_;
  std::vector<int64_t> numbers_;
  int64_t read_ = 0;  // documents so far
};

// Rows of counts in compressed form from encoded documents: columns rise within a row.
struct Counts {
  std::vector<int64_t> starts{0}, columns, values;
};
// Numbers outside [0, columns) are left out.
Counts count_numbers(const int64_t* values, const int64_t* starts, int64_t rows, int64_t columns);

}  // namespace pl::text
