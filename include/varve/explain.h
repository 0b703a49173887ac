// Explanation: how a get of one key went: what was looked at, and what answered.
#ifndef VARVE_EXPLAIN_H_
#define VARVE_EXPLAIN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

// A block of a segment that the lookup needed.
struct ExplainedBlock {
  // A page of the point index, which tells which keys a segment may hold and where, or a block of entries.
  enum class Kind : uint8_t { kIndexPage, kData };
  Kind kind = Kind::kData;
  uint64_t offset = 0;  // in the file
  uint64_t bytes = 0;   // in the file
  bool was_read = false;  // from the file; otherwise it was in the cache
};

// A part of the store that the lookup came to.
struct ExplainedPart {
  enum class Kind : uint8_t { kActiveMemTable, kImmutableMemTable, kSegment, kRun };
  // What the filter in front of it said: the Bloom filter of a memtable, the point index of a segment.
  enum class Filter : uint8_t {
    kNotAsked,    // the segment has no index, or it was spared because memory is short
    kAbsent,      // the key is certainly not there
    kMaybe,       // the entries were looked at
    kOutOfRange,  // of kRun: none of its segments covers the key
  };
  Kind kind = Kind::kActiveMemTable;
  // The number of the log of a memtable (0: it has none, in a store opened read-only), of the file of a segment, or the id of a run without a segment for the key.
  uint64_t number = 0;
  // Of a segment or run, counted from the newest run, which is 0: what other stores call a level.
  uint32_t level = 0;
  uint64_t run_id = 0;  // the same as in RunStatistics
  Filter filter = Filter::kNotAsked;
  bool has_answered = false;  // it holds the entry that decided
  bool was_opened = false;    // the segment's file was opened for this lookup
  // Entries of other keys that the filter took for this one.
  uint32_t false_positives = 0;
  std::vector<ExplainedBlock> blocks;  // in the order of their use
};

// Where the value log holds a value.
struct ExplainedValueLog {
  uint64_t file_number = 0;
  uint64_t offset = 0;  // of the record
  uint64_t bytes = 0;   // of the record
  bool was_read = false;  // from the file; otherwise it was in the cache
};

struct Explanation {
  enum class Answer : uint8_t {
    kNothing,         // there is no entry of the key
    kValue,           // the key is present
    kTombstone,       // it was deleted
    kRangeTombstone,  // an entry was found, and a range of keys deleted after it: DeleteRange, Clear, DropNamespace
    kExpired,         // its deadline has passed
  };
  Answer answer = Answer::kNothing;
  // The position in history up to which the lookup saw changes.
  uint64_t read_sequence = 0;
  // Of the entry that was found; 0 with kNothing. 1 also where every reader sees the entry and a merge has
  // forgotten its number.
  uint64_t sequence = 0;
  // Of the range delete, with kRangeTombstone.
  uint64_t range_tombstone_sequence = 0;
  // Of an entry that expires, in milliseconds since 1970-01-01 UTC; 0: does not.
  uint64_t expire_at_millis = 0;
  // With kValue.
  uint64_t value_bytes = 0;
  std::optional<ExplainedValueLog> value_log;  // the value, if it is large enough to lie there
  // What was looked at, in this order. Ends with the part that answered, if one did.
  std::vector<ExplainedPart> parts;
  // Blocks and values read from files for this lookup; not what opening a segment's file took.
  uint64_t bytes_read = 0;
  // The whole lookup, with the value, by the clock of the store's environment.
  uint64_t nanos = 0;

  // For people: a line for each part and block, the answer, and what it took.
  std::string ToString() const;

  bool found() const { return answer == Answer::kValue; }
  // The part that holds the entry; null with kNothing.
  const ExplainedPart* answering_part() const {
    return !parts.empty() && parts.back().has_answered ? &parts.back() : nullptr;
  }
};

// "nothing", "value", "tombstone", "range tombstone", "expired".
std::string_view ExplainedAnswerName(Explanation::Answer answer);
// "active memtable", "immutable memtable", "segment", "run".
std::string_view ExplainedPartName(ExplainedPart::Kind kind);
// "not asked", "absent", "maybe", "out of range".
std::string_view ExplainedFilterName(ExplainedPart::Filter filter);
// "index page", "data".
std::string_view ExplainedBlockName(ExplainedBlock::Kind kind);

}  // namespace varve

#endif  // VARVE_EXPLAIN_H_
