// The name of a kernel, for messages: kernels are local symbols, which dladdr does not know, so the symbol table of the
// library's file is read.
#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "machine.h"

namespace emu {
namespace {

std::string mangled(const void* function) {
  Dl_info info;
  if (!dladdr(function, &info) || !info.dli_fname) return {};
  std::ifstream stream(info.dli_fname, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(stream), {}};
  Elf64_Ehdr header;
  if (file.size() < sizeof header) return {};
  std::memcpy(&header, file.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELFCLASS64) return {};
  // A program at a fixed address is not moved; anything else begins at dli_fbase.
  const auto base = header.e_type == ET_DYN ? reinterpret_cast<uintptr_t>(info.dli_fbase) : 0;
  const uintptr_t address = reinterpret_cast<uintptr_t>(function) - base;
  auto section = [&](size_t i, Elf64_Shdr& s) {
    const size_t at = header.e_shoff + i * header.e_shentsize;
    if (at + sizeof s > file.size()) return false;
    std::memcpy(&s, file.data() + at, sizeof s);
    return s.sh_offset + s.sh_size <= file.size();
  };
  Elf64_Shdr table, names;
  for (size_t i = 0; i < header.e_shnum; ++i) {
    if (!section(i, table) || table.sh_type != SHT_SYMTAB || !section(table.sh_link, names)) continue;
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= table.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      std::memcpy(&symbol, file.data() + table.sh_offset + at, sizeof symbol);
      if (symbol.st_value == address && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
          symbol.st_name < names.sh_size)
        return file.c_str() + names.sh_offset + symbol.st_name;
    }
  }
  return {};
}

}  // namespace

const char* name_of(const void* function) {
  static std::string name;
  name = mangled(function);
  int status = 1;
  if (char* readable = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status); status == 0) {
    name = readable;
    std::free(readable);
  }
  if (name.empty()) {
    char text[32];
    std::snprintf(text, sizeof text, "%p", function);
    name = text;
  }
  return name.c_str();
}

}  // namespace emu
