// The vocabulary of pylearn.preprocessing.text.Tokenizer.
#include "text/vocabulary.h"

#include <mutex>

#include "bindings/convert.h"
#include "bindings/module.h"

namespace pl {
namespace {

using text::Documents;
using text::Rule;
using text::Vocabulary;
using Ids = py::array_t<int64_t, py::array::c_style | py::array::forcecast>;

// Documents over the memory of Python's strings, which `owners` keep.
struct Gathered {
  Documents documents;
  std::vector<py::object> owners;
};

// ASCII strings are read where they are; others are lowered by Python, whose rules these are, and encoded.
void add_string(Gathered& into, py::handle string, bool word, bool lower) {
  py::object text = py::reinterpret_borrow<py::object>(string);
  if (PyUnicode_IS_ASCII(text.ptr())) {
    const auto* data = static_cast<const char*>(PyUnicode_DATA(text.ptr()));
    into.documents.pieces.push_back({{data, static_cast<size_t>(PyUnicode_GET_LENGTH(text.ptr()))}, word});
    return;
  }
  if (lower) text = text.attr("lower")();
  py::object encoded =
      py::reinterpret_steal<py::object>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass"));
  if (!encoded) throw py::error_already_set();
  into.documents.pieces.push_back(
      {{PyBytes_AS_STRING(encoded.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(encoded.ptr()))}, word});
  into.owners.push_back(std::move(encoded));
}

// Strings, which fall into words by the rule, and lists of words. Tuples are kept of both lists: another thread may
// change the caller's while the GIL is released.
Gathered gather(py::handle texts, bool lower) {
  Gathered out;
  const auto all = py::tuple(py::reinterpret_borrow<py::object>(texts));
  out.owners.push_back(all);
  int64_t place = 0;
  for (py::handle item : all) {
    if (PyUnicode_Check(item.ptr())) {
      add_string(out, item, false, lower);
    } else if (PyList_Check(item.ptr()) || PyTuple_Check(item.ptr())) {
      const auto words = py::tuple(py::reinterpret_borrow<py::object>(item));
      out.owners.push_back(words);
      int64_t at = 0;
      for (py::handle word : words) {
        if (!PyUnicode_Check(word.ptr()))
          raise<TypeError>("[Tokenizer] texts[", place, "][", at, "] must be a str, not ",
                           Py_TYPE(word.ptr())->tp_name);
        add_string(out, word, true, lower);
        ++at;
      }
    } else {
      raise<TypeError>("[Tokenizer] texts[", place, "] must be a str or a list of words, not ",
                       Py_TYPE(item.ptr())->tp_name);
    }
    out.documents.starts.push_back(static_cast<int64_t>(out.documents.pieces.size()));
    ++place;
  }
  return out;
}

py::array_t<int64_t> array_of(const std::vector<int64_t>& values) {
  return py::array_t<int64_t>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::str string_of(std::string_view bytes) {
  PyObject* text =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<py::ssize_t>(bytes.size()), "surrogatepass");
  if (text == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(text);
}

// One vocabulary, used by one thread at a time. The lock is taken without the GIL: a thread that waits for it must
// not hold up the one that has it.
class Guarded {
 public:
  void count(py::handle texts, const std::string& separators, bool lower, bool characters) {
    const Gathered given = gather(texts, lower);
    locked([&] { vocabulary_.count(given.documents, Rule(separators, lower, characters)); });
  }

  text::Encoded encode(py::handle texts, const std::string& separators, bool lower, bool characters,
                       int64_t limit, py::handle other) {
    const Gathered given = gather(texts, lower);
    const int64_t instead = other.is_none() ? text::kNone : py::cast<int64_t>(other);
    text::Encoded out;
    locked([&] {
      out = vocabulary_.encode(given.documents, Rule(separators, lower, characters), limit, instead);
    });
    return out;
  }

  void add(py::handle words, const Ids& counts, const Ids& documents) {
    const Gathered given = gather(py::make_tuple(words), false);
    const auto n = static_cast<int64_t>(given.documents.pieces.size());
    if (counts.size() != n || documents.size() != n)
      raise<ValueError>("[Tokenizer] ", n, " words need as many counts and documents");
    const int64_t *c = counts.data(), *d = documents.data();
    locked([&] {
      for (int64_t i = 0; i < n; ++i) vocabulary_.add(given.documents.pieces[i].text, c[i], d[i]);
    });
  }

  void set_numbers(const Ids& numbers) {
    std::vector<int64_t> values(numbers.data(), numbers.data() + numbers.size());
    locked([&] { vocabulary_.set_numbers(std::move(values)); });
  }

  py::list words() {
    std::vector<std::string> found;
    locked([&] {
      for (int64_t i = 0; i < vocabulary_.size(); ++i) found.emplace_back(vocabulary_.word(i));
    });
    py::list out(found.size());
    for (size_t i = 0; i < found.size(); ++i) out[i] = string_of(found[i]);
    return out;
  }

  template <class F>
  py::array_t<int64_t> each(F value) {
    std::vector<int64_t> out;
    locked([&] {
      for (int64_t i = 0; i < vocabulary_.size(); ++i) out.push_back(value(vocabulary_, i));
    });
    return array_of(out);
  }

  py::array_t<int64_t> by_count() {
    std::vector<int64_t> out;
    locked([&] { out = vocabulary_.by_count(); });
    return array_of(out);
  }

 private:
  template <class F>
  void locked(F f) {
    py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    f();
  }

  Vocabulary vocabulary_;
  std::mutex mutex_;
};

// Lists of Python integers. Each number's object is made once and shared: most words are few.
py::list as_lists(const text::Encoded& encoded) {
  constexpr int64_t kShared = 1 << 20;
  std::vector<py::object> made;
  const auto rows = static_cast<int64_t>(encoded.starts.size()) - 1;
  py::list out(rows);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t begin = encoded.starts[r], end = encoded.starts[r + 1];
    py::list row(end - begin);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t v = encoded.values[i];
      py::object number;
      if (v >= 0 && v < kShared) {
        if (static_cast<size_t>(v) >= made.size()) made.resize(static_cast<size_t>(v) + 1 + made.size() / 2);
        py::object& shared = made[v];
        if (!shared) shared = py::int_(v);
        number = shared;
      } else {
        number = py::int_(v);
      }
      PyList_SET_ITEM(row.ptr(), i - begin, number.release().ptr());
    }
    PyList_SET_ITEM(out.ptr(), r, row.release().ptr());
  }
  return out;
}

}  // namespace

void bind_text(py::module_& m) {
  py::class_<Guarded>(
      m, "Vocabulary",
      "Words in the order they were first seen, counted. Texts are strings or lists of words; "
      "separators are ASCII characters.")
      .def(py::init<>())
      .def("count", &Guarded::count, py::arg("texts"), py::arg("separators"), py::arg("lower"),
           py::arg("characters"), "Count the words of these documents. TypeError for anything but text.")
      .def("add", &Guarded::add, py::arg("words"), py::arg("counts"), py::arg("documents"),
           "Add words counted elsewhere.")
      .def("words", &Guarded::words)
      .def("counts",
           [](Guarded& v) { return v.each([](const Vocabulary& w, int64_t i) { return w.count(i); }); })
      .def("documents",
           [](Guarded& v) { return v.each([](const Vocabulary& w, int64_t i) { return w.documents(i); }); })
      .def("by_count", &Guarded::by_count, "Positions of the words, most frequent first, then first seen.")
      .def("set_numbers", &Guarded::set_numbers, py::arg("numbers"), "The number of each word, for encode.")
      .def(
          "encode",
          [](Guarded& v, py::handle texts, const std::string& separators, bool lower, bool characters,
             int64_t limit, py::handle other) {
            const auto out = v.encode(texts, separators, lower, characters, limit, other);
            return py::make_tuple(array_of(out.values), array_of(out.starts));
          },
          py::arg("texts"), py::arg("separators"), py::arg("lower"), py::arg("characters"), py::arg("limit"),
          py::arg("other"),
          "(numbers, starts): of document d, numbers[starts[d]:starts[d + 1]]. A word that is unknown, or "
          "whose "
          "number is `limit` or more (0: no limit), becomes `other`, or is left out.")
      .def(
          "encode_lists",
          [](Guarded& v, py::handle texts, const std::string& separators, bool lower, bool characters,
             int64_t limit, py::handle other) {
            return as_lists(v.encode(texts, separators, lower, characters, limit, other));
          },
          py::arg("texts"), py::arg("separators"), py::arg("lower"), py::arg("characters"), py::arg("limit"),
          py::arg("other"), "encode, as a list of integers for each document.");
  m.def(
      "count_numbers",
      [](const Ids& values, const Ids& starts, int64_t columns) {
        const int64_t rows = starts.size() - 1;
        if (rows < 0 || columns < 0 || starts.at(rows) > values.size())
          raise<ValueError>("[count_numbers] starts must rise to the number of values");
        for (int64_t r = 0; r < rows; ++r)
          if (starts.at(r) < 0 || starts.at(r) > starts.at(r + 1))
            raise<ValueError>("[count_numbers] starts must rise from 0");
        const int64_t *v = values.data(), *s = starts.data();
        text::Counts out;
        {
          py::gil_scoped_release release;
          out = text::count_numbers(v, s, rows, columns);
        }
        return py::make_tuple(array_of(out.starts), array_of(out.columns), array_of(out.values));
      },
      py::arg("values"), py::arg("starts"), py::arg("columns"),
      "How often each number below `columns` occurs in each row: (indptr, indices, counts) of a CSR matrix.");
}

}  // namespace pl
