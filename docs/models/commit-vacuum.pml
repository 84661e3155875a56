/* Commits, pins, tags, restores and vacuums of one table. docs/vacuum.md tells the protocol in words.

   Versions are names; file f (1 to 4) is the data file of writer f, file 0 that of version 1. Writer 4 is a compaction:
   its version needs file 0 no longer. Writer 2 may be taken for dead while it only sleeps. The restorer makes version 1
   the newest one again. Lease, boundary and name each change in one step, as files that are replaced or linked do;
   whoever looks at several of them does so one after the other, at leases in any order.

   Beside the vacuum and writer 2 there run, by flag: WRITER (writer 1), THIRD (writer 3; only with ONE_LOOK, by which
   the vacuum sees the leases of all writers in one step), COMPACTION, READER, TAGS, RESTORE. With SUSPECT the vacuum
   takes writer 2 for dead, without it nobody: both have to be searched.

   Held to: a version that is pinned, tagged or newest has its files; no commit is lost or applied twice; versions have
   no gap; a table that nobody works on any more has no version without its files.

   Planted bugs, each of which has to be found:
   -DBUG_CAS           a commit overwrites a name
   -DBUG_NO_BOUNDARY   a writer links without a look at the boundary
   -DBUG_SWEEP_FIRST   the vacuum sweeps temporaries before it announces
   -DBUG_NO_SWEEP      the vacuum sweeps no temporaries
   -DBUG_NO_EXPULSION  a writer that was taken for dead is not told
   -DBUG_NO_LOOK       a reader does not look at the boundary after it has published its pin
   -DBUG_LOOK_ONCE     the vacuum does not look at leases again after it has announced
   -DBUG_TAGS_FIRST    the second look takes tags before leases
   -DBUG_NO_NEWS       the second look leaves out versions that were made meanwhile
   -DBUG_FILES_LAST    the first look takes files after leases and versions
   -DBUG_NO_LEASES     the vacuum takes no notice of who is writing

   No bug, and held to the same:
   -DLEASES_LAST       the first look takes leases after versions: the second look sees what was committed between them

   Few states, and why nothing is missed by it:
   (1) Variables that nobody will read again are set to zero where that is so.
   (2) Steps that touch nothing that others read are part of the step before or after them.
   (3) Whether a file is there decides nothing but the outcome of the assertions, once the vacuum has listed files. So a
       file may be there earlier and go earlier than in truth: a file that is missing is then missing for longer. A
       writer makes its file together with its look at the boundary, and the vacuum removes all files in one step.
   (4) A reader that reads may read any file at any moment until it gives back its pin: the files are checked when it
       begins, and from then on by whoever removes one.
   (5) Of a version that has no name and that nobody has in hand nothing is read again: versions are taken up by being
       the newest, by their names, or as version 1 by the tagger and the restorer.
   (6) A writer can only be taken for dead while it has a lease. With SUSPECT the vacuum waits for that, and writer 2
       gives its lease back no earlier: what would be otherwise is searched without SUSPECT.
   (7) Writers that are the same but for their number are numbered in the order of their commits: 1 before 3, and,
       where nobody is taken for dead, 2 before 1. It has to be the same to the vacuum too who is who: it reads their
       leases in any order, and judges and removes their files in one step. */

#define NV 7                            /* version 1, four writers, the restorer, one to spare */
#define NF 5
#define NT 6                            /* whoever links: four writers and, last, the restorer */
#define RESTORER 5
#ifdef SUSPECT
#define SUSPECTED true
#define MAY_LINK(f) (f != 3 || linked[1])
#else
#define SUSPECTED false
#define MAY_LINK(f) ((f != 3 || linked[1]) && (f != 1 || linked[2]))
#endif
#define REF(v, f) ref[(v) * NF + (f)]
#define RETIRED(v) ((v) <= upTo && !kept[v])

byte latest = 1, acks, upTo, tag, pinReader, pinTagger, pinRestorer, running;
bool name[NV + 1], kept[NV + 1], ref[40], file[NF], lease[NF], expelled;
byte from[NF], tmp[NT], base[NT], count[NV + 1];
byte shown, reading;                    /* what the reader has in hand, and what it reads */
bool linked[NF];                        /* who has committed */
bool over, guessed, lastLook;           /* writer 2 is at its end; it was decided who is dead; leases are not read again */

/* Links the temporary `which` to the version after its base; what the version needs comes from `content`. */
#ifdef BUG_CAS
#define LINKS(which) true
#else
#define LINKS(which) (!name[base[which] + 1] && tmp[which] == base[which] + 1)
#endif
inline link(which, content, mine) {
  tmp[which] = 0; v = base[which] + 1;
  name[v] = true; count[v] = count[v - 1] + 1; i = 0;
  do
  :: i < NF -> REF(v, i) = (REF(content, i) && !(mine == 4 && i == 0)) || (i == mine && mine > 0); i++
  :: else -> break
  od;
  latest = (latest < v -> v : latest); acks++;
  base[which] = 0; i = 0; v = 0
}

inline removeFile(f) { assert(reading == 0 || !REF(reading, f)); file[f] = false }

proctype writer(byte f) { byte i, v;
again:
  base[f] = latest;
  d_step { lease[f] = !lastLook; from[f] = (lastLook -> 0 : base[f]) }
  if
  :: RETIRED(base[f]) -> goto again
  :: d_step { !RETIRED(base[f]) -> file[f] = true }
  fi;
retry:
  tmp[f] = base[f] + 1;
#ifndef BUG_NO_BOUNDARY
  if                                    /* one look: the boundary is one file */
  :: d_step { base[f] + 1 <= upTo -> tmp[f] = 0; base[f] = latest }; goto retry
#ifndef BUG_NO_EXPULSION
  :: d_step { base[f] + 1 > upTo && f == 2 && expelled -> tmp[f] = 0; base[f] = 0; removeFile(f) }; goto end
  :: d_step { base[f] + 1 > upTo && !(f == 2 && expelled) -> skip }
#else
  :: base[f] + 1 > upTo
#endif
  fi;
#endif
  if
  :: d_step { LINKS(f) && MAY_LINK(f) -> link(f, base[f], f); linked[f] = true }
  :: d_step { !LINKS(f) -> tmp[f] = 0 }; base[f] = latest; goto retry
  fi;
end:
  atomic { f != 2 || !SUSPECTED || guessed ->
    lease[f] = false; from[f] = 0; running--;
    if :: f == 2 -> over = true; expelled = false :: else fi }
}

proctype restorer() { byte i, v;
  if :: !name[1] -> goto end :: name[1] fi;
  pinRestorer = 1;
  if :: RETIRED(1) -> goto end :: !RETIRED(1) fi;
  base[RESTORER] = latest;
retry:
  tmp[RESTORER] = base[RESTORER] + 1;
#ifndef BUG_NO_BOUNDARY
  if
  :: d_step { base[RESTORER] + 1 <= upTo -> tmp[RESTORER] = 0; base[RESTORER] = latest }; goto retry
  :: base[RESTORER] + 1 > upTo
  fi;
#endif
  if
  :: d_step { LINKS(RESTORER) -> link(RESTORER, 1, 0) }
  :: d_step { !LINKS(RESTORER) -> tmp[RESTORER] = 0 }; base[RESTORER] = latest; goto retry
  fi;
end:
  atomic { pinRestorer = 0; running-- }
}

inline reads() {
  reading = shown; i = 0;
  do :: i < NF -> assert(!REF(shown, i) || file[i]); i++ :: else -> break od;
  i = 0
}

proctype reader() { byte i;
again:
  shown = latest;
  pinReader = shown;
#ifndef BUG_NO_LOOK
  if
  :: d_step { RETIRED(shown) -> pinReader = 0; shown = 0 }; goto again
  :: d_step { !RETIRED(shown) -> reads() }
  fi;
#else
  d_step { reads() }
#endif
  d_step { pinReader = 0; shown = 0; reading = 0; running-- }
}

proctype tagger() {
  if :: !name[1] -> goto end :: name[1] fi;
  pinTagger = 1;
  if :: RETIRED(1) -> goto end :: !RETIRED(1) fi;
  tag = 1;
end:
  atomic { pinTagger = 0; running-- }
}

#if defined(WRITER) && !defined(ONE_LOOK)
#define SEEN_1 seen[1]
#else
#define SEEN_1 true
#endif
#if defined(COMPACTION) && !defined(ONE_LOOK)
#define SEEN_4 seen[4]
#else
#define SEEN_4 true
#endif
#ifdef READER
#define SEEN_READER seenReader
#else
#define SEEN_READER true
#endif
#ifdef TAGS
#define SEEN_TAGGER seenTagger
#else
#define SEEN_TAGGER true
#endif
#ifdef RESTORE
#define SEEN_RESTORER seenRestorer
#else
#define SEEN_RESTORER true
#endif
#define SEEN_ALL (SEEN_1 && seen[2] && SEEN_4 && SEEN_READER && SEEN_TAGGER && SEEN_RESTORER)

/* What the looks of a vacuum take down. */
inline takeFiles() { d_step { i = 0; do :: i < NF -> candidate[i] = file[i]; i++ :: else -> break od; i = 0 } }
inline takeLease(f) {
  seen[f] = true; writing[f] = lease[f] && !(f == 2 && expel);
  if :: writing[f] && from[f] < least -> least = from[f] :: else fi
}
/* One lease after the other, in any order: their names are chance. */
inline takeLeases() {
  do
#ifdef ONE_LOOK
  :: d_step { !seen[2] -> takeLease(1); takeLease(2); takeLease(3); takeLease(4) }
#else
#ifdef WRITER
  :: d_step { !seen[1] -> takeLease(1) }
#endif
  :: d_step { !seen[2] -> takeLease(2) }
#ifdef COMPACTION
  :: d_step { !seen[4] -> takeLease(4) }
#endif
#endif
#ifdef READER
  :: d_step { !seenReader -> seenReader = true; p1 = pinReader }
#endif
#ifdef TAGS
  :: d_step { !seenTagger -> seenTagger = true; p2 = pinTagger }
#endif
#ifdef RESTORE
  :: d_step { !seenRestorer -> seenRestorer = true; p3 = pinRestorer }
#endif
  :: d_step { SEEN_ALL -> seenReader = false; seenTagger = false; seenRestorer = false; i = 1;
       do :: i < NF -> seen[i] = false; i++ :: else -> break od; i = 0 }
     break
  od
}
/* Nobody looks at leases again. */
inline forgetLeases() {
  lastLook = true; expel = false; i = 0;
  do :: i < NF -> lease[i] = false; from[i] = 0; writing[i] = false; i++ :: else -> break od; i = 0
}
inline takeTags() {
#ifdef TAGS
  t = tag
#else
  skip
#endif
}
inline takeVersions() { head = latest; i = 1; do :: i <= NV -> listed[i] = name[i]; i++ :: else -> break od; i = 0 }
#define NEEDED(v) ((v) >= head || (v) >= least || p1 == (v) || p2 == (v) || p3 == (v) || t == (v))
/* What was taken down of uses, forgotten: nothing is needed by it. */
inline forgetUses() { head = NV + 1; least = NV + 1; p1 = 0; p2 = 0; p3 = 0; t = 0 }

/* Files that versions which stay need are none to be removed. */
inline spare(stays) {
  v = 1;
  do
  :: v <= NV ->
     if
     :: stays && !doomed[v] ->
        i = 0; do :: i < NF -> candidate[i] = candidate[i] && !REF(v, i); i++ :: else -> break od
     :: else
     fi; v++
  :: else -> break
  od; i = 0; v = 0
}

inline decide() {
  v = 1;
  do
  :: v < head && v <= NV ->
     if :: listed[v] && !NEEDED(v) -> doomed[v] = true; top = v :: else fi; v++
  :: else -> break
  od;
  spare(listed[v]);
  i = 0;
  do
  :: i < NF ->
#ifndef BUG_NO_LEASES
     candidate[i] = candidate[i] && !writing[i];
#endif
     writing[i] = false; i++
  :: else -> break
  od; i = 0;
#ifndef BUG_NO_NEWS
  v = 1; do :: v <= NV -> listed[v] = listed[v] && !doomed[v] && v < top; v++ :: else -> break od; v = 0;
#endif
  forgetUses()
}

#define ANY_FILE (candidate[0] || candidate[1] || candidate[2] || candidate[3] || candidate[4])
#define ANY_VERSION (doomed[1] || doomed[2] || doomed[3] || doomed[4] || doomed[5] || doomed[6] || doomed[7])
#define IN_HAND(v) (shown == (v) || base[1] == (v) || base[2] == (v) || base[3] == (v) || base[4] == (v) || base[5] == (v))
#if defined(TAGS) || defined(RESTORE)
#define FORGOTTEN(v) ((v) > 1 && !IN_HAND(v))
#else
#define FORGOTTEN(v) (!IN_HAND(v))
#endif

/* Nobody can tell a sleeping writer that holds a lease from a dead one. */
inline guess() { d_step { !SUSPECTED || lease[2] -> expel = SUSPECTED; guessed = true } }
inline sweep() { d_step { i = 0; do :: i < NT -> tmp[i] = 0; i++ :: else -> break od; i = 0 } }
proctype vacuum() { byte i, v, head, least = NV + 1, p1, p2, p3, t, top;
  bool expel, seen[NF], seenReader, seenTagger, seenRestorer, writing[NF], candidate[NF], listed[NV + 1], doomed[NV + 1];
#ifdef BUG_FILES_LAST
  guess(); takeLeases(); takeTags(); d_step { takeVersions() } takeFiles(); d_step { decide() }
#else
#ifdef LEASES_LAST
  takeFiles(); takeTags(); d_step { takeVersions() } guess(); takeLeases(); skip; d_step { decide() }
#else
  takeFiles(); guess(); takeLeases(); takeTags(); d_step { takeVersions(); decide() }
#endif
#endif
  if
  :: d_step { !expel && top == 0 && !ANY_FILE -> forgetLeases() } goto end    /* there is nothing to remove */
  :: expel || top > 0 || ANY_FILE
  fi;
#ifdef BUG_SWEEP_FIRST
  sweep();
#endif
  d_step {                                        /* announce: one file is replaced */
    if :: expel -> expelled = !over; lease[2] = false; from[2] = 0 :: else fi;
    upTo = top; v = 1; do :: v <= top -> kept[v] = listed[v] && !doomed[v]; v++ :: else -> break od; v = 0; top = 0;
#ifndef BUG_NO_NEWS
    v = 1; do :: v <= NV -> listed[v] = false; v++ :: else -> break od; v = 0
#endif
  }
#if !defined(BUG_SWEEP_FIRST) && !defined(BUG_NO_SWEEP)
  sweep();
#endif
#ifndef BUG_LOOK_ONCE
#ifdef BUG_TAGS_FIRST
  takeTags(); takeLeases(); skip;
#else
  takeLeases(); takeTags();
#endif
#endif
  d_step { v = 1;                                 /* what came into use stays, and may be opened again */
    do :: v <= NV -> if :: doomed[v] && NEEDED(v) -> doomed[v] = false; kept[v] = true :: else fi; v++ :: else -> break od;
#ifdef BUG_NO_NEWS
    spare(listed[v]);
#else
    spare(name[v]);
#endif
    forgetUses(); forgetLeases() }
  do
  :: d_step { ANY_VERSION ->
       v = 1; do :: v <= NV && !doomed[v] -> v++ :: else -> break od;
       doomed[v] = false; name[v] = false;
       if
       :: FORGOTTEN(v) -> count[v] = 0; i = 0; do :: i < NF -> REF(v, i) = false; i++ :: else -> break od; i = 0
       :: else
       fi; v = 0 }
  :: d_step { !ANY_VERSION ->
       i = 0; do :: i < NF -> if :: candidate[i] -> candidate[i] = false; removeFile(i) :: else fi; i++ :: else -> break od;
       i = 0 }
     break
  od;
end:
  running--
}


init { byte v, i;
  name[1] = true; file[0] = true; REF(1, 0) = true;
  atomic {
    running = 2; run vacuum(); run writer(2);
#ifdef WRITER
    running++; run writer(1);
#endif
#ifdef THIRD
    running++; run writer(3);
#endif
#ifdef COMPACTION
    running++; run writer(4);
#endif
#ifdef READER
    running++; run reader();
#endif
#ifdef TAGS
    running++; run tagger();
#endif
#ifdef RESTORE
    running++; run restorer();
#endif
  }
  running == 0;
  d_step {
    assert(count[latest] == acks);
    assert(latest == 1 + acks);
    assert(tag == 0 || (name[tag] && !RETIRED(tag)));
    v = 1;
    do
    :: v <= NV ->
       if
       :: name[v] -> i = 0;
          do :: i < NF -> assert(!REF(v, i) || file[i]); i++ :: else -> break od
       :: else
       fi; v++
    :: else -> break
    od
  }
}
