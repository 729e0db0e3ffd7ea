// A few threads that compute one thing together: those of a lane that has more than one core.
//
//   Team team(2);                          // this thread and one more
//   const Team::Scope scope(team);         // until the end of the block it is this thread's team
//   split(rows, {.fewest = 8}, [&](const Part& part) {
//     for (int64_t r = part.begin; r < part.end; ++r) ...      // runs on both threads
//   });
//
// Fork and join: split() hands the parts out and returns when all are done; a part that no other
// thread has begun on by the time this one is free, it does itself. A thread without a
// team computes the whole by itself, so code that splits works anywhere. Cut only what is written
// (rows or columns of a result), never a sum: then the size of a team changes no bit. Waiting
// members spin for a moment, because the next part of a training step is rarely far, then sleep.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

namespace superstep {

class Team {
 public:
  /// `size` threads (at least 1), the calling one among them.
  explicit Team(int size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] int size() const { return size_; }

  /// Makes a team the calling thread's own; the one before comes back afterwards.
  class Scope {
   public:
    explicit Scope(Team& team);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Team* before_;
  };

  /// That of the calling thread; null: it is alone, as it is within a part.
  static Team* current();

  /// work(member) once for each member from 0 to members - 1, 0 on this thread. Rethrows
  /// what the lowest member threw, after all are done. Only for current(); allocates nothing.
  template <class Work>
  void run(int members, const Work& work) {
    run(members,
        {[](const void* context, int member) { (*static_cast<const Work*>(context))(member); },
         &work});
  }

 private:
  struct Member;
  struct Call {
    void (*function)(const void* context, int member) = nullptr;
    const void* context = nullptr;
  };
  void run(int members, Call call);
  void serve(Member& member);

  int size_;
  Call call_;
  std::unique_ptr<Member[]> members_;  // but the calling thread
};

/// A share of the numbers from 0 to a count: begin to end, less the last.
struct Part {
  int64_t begin, end;
  int member;  ///< Of the team: no two parts at one time have the same.
};

/// Where a count may be cut.
struct Cut {
  int64_t fewest = 1;  ///< What is worth a thread: of less than twice this there is one part.
  int64_t step = 1;    ///< Parts begin at multiples of this.
};

/// How many parts that makes, in the calling thread's team.
inline int parts_of(int64_t count, const Cut& cut) {
  const Team* team = Team::current();
  if (team == nullptr) return 1;
  const int64_t least = std::max({cut.fewest, cut.step, int64_t{1}});
  return static_cast<int>(std::clamp<int64_t>(count / least, 1, team->size()));
}

/// Calls body(part) for parts that make up 0 .. count - 1, each on a thread of the team.
template <class Body>
void split(int64_t count, const Cut& cut, const Body& body) {
  const int parts = parts_of(count, cut);
  if (parts == 1) return body(Part{0, count, 0});
  const auto beginning = [&](int part) {
    return part == parts ? count : count * part / parts / cut.step * cut.step;
  };
  Team::current()->run(parts, [&](int part) {
    body(Part{beginning(part), beginning(part + 1), part});
  });
}

}  // namespace superstep
