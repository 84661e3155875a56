/* Commits, pins, tags, restores and vacuums of one table. docs/vacuum.md tells the protocol in words.

   Versions are names; file f (1 to 3) is the data file of writer f, file 0 that of version 1. Writer 3 is a compaction:
   its version needs file 0 no longer. Writer 2 may be taken for dead while it only sleeps. The restorer makes version 1
   the newest one again. Lease, boundary and name each change in one step, as files that are replaced or linked do;
   whoever looks at several of them does so one after the other.

   Beside the vacuum and writer 2 there run, by flag: WRITER (writer 1), COMPACTION, READER, TAGS, RESTORE.

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
   -DLEASES_LAST       the first look takes leases after versions: the second look sees what was committed between them */

#define NV 6                            /* version 1, three writers, the restorer, one to spare */
#define NF 4
#define REF(v, f) ref[(v) * NF + (f)]
#define RETIRED(v) ((v) <= upTo && !kept[v])

byte latest = 1, acks, upTo, tag, pinReader, pinTagger, pinRestorer;
bool name[NV + 1], kept[NV + 1], ref[28], file[NF], lease[NF], expelled, dirty;
byte from[NF], tmp[5], count[NV + 1];

/* Links the temporary `which` to the version after `onto`; what the version needs comes from `content`. */
inline link(which, onto, content, mine) {
  atomic {
#ifdef BUG_CAS
    ok = true;
#else
    ok = !name[onto + 1] && tmp[which] == onto + 1;
#endif
    tmp[which] = 0;
    if
    :: ok ->
       name[onto + 1] = true; count[onto + 1] = count[onto] + 1; i = 0;
       do
       :: i < NF -> REF(onto + 1, i) = (REF(content, i) && !(mine == 3 && i == 0)) || (i == mine && mine > 0); i++
       :: else -> break
       od; i = 0;
       latest = (latest < onto + 1 -> onto + 1 : latest)
    :: else
    fi
  }
}

proctype writer(byte f) { byte base, i; bool ok;
again:
  base = latest;
  atomic { lease[f] = true; from[f] = base }
  if :: RETIRED(base) -> goto again :: else fi;
  file[f] = true;
retry:
  tmp[f] = base + 1;
#ifndef BUG_NO_BOUNDARY
  if                                    /* one look: the boundary is one file */
  :: base + 1 <= upTo -> atomic { tmp[f] = 0; base = latest }; goto retry
#ifndef BUG_NO_EXPULSION
  :: base + 1 > upTo && f == 2 && expelled -> atomic { tmp[f] = 0; file[f] = false }; goto end
  :: base + 1 > upTo && !(f == 2 && expelled)
#else
  :: else
#endif
  fi;
#endif
  link(f, base, base, f);
  if :: ok -> acks++ :: else -> base = latest; goto retry fi;
end:
  atomic { lease[f] = false; from[f] = 0 }
}

proctype restorer() { byte base, i; bool ok;
  if :: !name[1] -> goto end :: else fi;
  pinRestorer = 1;
  if :: RETIRED(1) -> goto end :: else fi;
  base = latest;
retry:
  tmp[4] = base + 1;
#ifndef BUG_NO_BOUNDARY
  if :: base + 1 <= upTo -> atomic { tmp[4] = 0; base = latest }; goto retry :: else fi;
#endif
  link(4, base, 1, 0);
  if :: ok -> acks++ :: else -> base = latest; goto retry fi;
end:
  pinRestorer = 0
}

proctype reader() { byte v, i;
again:
  v = latest;
  pinReader = v;
#ifndef BUG_NO_LOOK
  if :: RETIRED(v) -> pinReader = 0; goto again :: else fi;
#endif
  do :: i < NF -> if :: REF(v, i) -> assert(file[i]) :: else fi; i++ :: else -> break od;
  atomic { pinReader = 0; i = 0; v = 0 }
}

proctype tagger() {
  if :: !name[1] -> goto end :: else fi;
  pinTagger = 1;
  if :: RETIRED(1) -> goto end :: else fi;
  tag = 1;
end:
  pinTagger = 0
}

/* What the looks of a vacuum take down. */
inline takeFiles() { d_step { i = 0; do :: i < NF -> candidate[i] = file[i]; i++ :: else -> break od; i = 0 } }
inline takeLeases() {
  d_step { i = 1; least = NV + 1;
    do
    :: i < NF -> writing[i] = lease[i] && !(i == 2 && expel);
       if :: lease[i] && !(i == 2 && expel) && from[i] < least -> least = from[i] :: else fi; i++
    :: else -> break
    od; i = 0 }
  p1 = pinReader; p2 = pinTagger; p3 = pinRestorer;
}
inline takeVersions() { d_step { head = latest; i = 1; do :: i <= NV -> listed[i] = name[i]; i++ :: else -> break od; i = 0 } }
#define NEEDED(v) ((v) >= head || (v) >= least || p1 == (v) || p2 == (v) || p3 == (v) || t == (v))

proctype vacuum() { byte i, v, head, least, p1, p2, p3, t, top; bool expel, first[NF], writing[NF], candidate[NF], listed[NV + 1], doomed[NV + 1], needed[NF];
  if :: expel = true :: expel = false fi;         /* nobody can tell a sleeping writer from a dead one */
#ifdef BUG_FILES_LAST
  takeLeases(); t = tag; takeVersions(); takeFiles();
#else
#ifdef LEASES_LAST
  takeFiles(); t = tag; takeVersions(); takeLeases();
#else
  takeFiles(); takeLeases(); t = tag; takeVersions();
#endif
#endif
  d_step { i = 0; do :: i < NF -> first[i] = writing[i]; i++ :: else -> break od; i = 0; v = 1;
    do
    :: v < head && v <= NV ->
       if :: listed[v] && !NEEDED(v) -> doomed[v] = true; top = v :: else fi; v++
    :: else -> break
    od; v = 0 }
  if :: expel -> atomic { lease[2] = false; from[2] = 0 } :: else fi;
#ifdef BUG_SWEEP_FIRST
  d_step { i = 0; do :: i < 5 -> tmp[i] = 0; i++ :: else -> break od; i = 0 }
#endif
  d_step {                                        /* announce: one file is replaced */
    if :: expel -> expelled = true :: else fi;
    upTo = top; v = 1; do :: v <= top -> kept[v] = listed[v] && !doomed[v]; v++ :: else -> break od; v = 0 }
#if !defined(BUG_SWEEP_FIRST) && !defined(BUG_NO_SWEEP)
  i = 0; do :: i < 5 -> tmp[i] = 0; i++ :: else -> break od; i = 0;
#endif
#ifndef BUG_LOOK_ONCE
#ifdef BUG_TAGS_FIRST
  t = tag; takeLeases();
#else
  takeLeases(); t = tag;
#endif
#endif
  d_step { v = 1;                                 /* what came into use stays, and may be opened again */
    do :: v <= NV -> if :: doomed[v] && NEEDED(v) -> doomed[v] = false; kept[v] = true :: else fi; v++ :: else -> break od; v = 1;
    do
    :: v <= NV ->
#ifdef BUG_NO_NEWS
       if :: listed[v] && !doomed[v] ->
#else
       if :: name[v] && !doomed[v] ->
#endif
             i = 0; do :: i < NF -> needed[i] = needed[i] || REF(v, i); i++ :: else -> break od; i = 0
          :: else fi; v++
    :: else -> break
    od; v = 0 }
  v = 1; do :: v <= top -> if :: doomed[v] -> name[v] = false :: else fi; v++ :: else -> break od; v = 0;
  do
  :: i < NF ->
#ifdef BUG_NO_LEASES
     if :: candidate[i] && !needed[i] -> file[i] = false :: else fi; i++
#else
     if :: candidate[i] && !needed[i] && !first[i] -> file[i] = false :: else fi; i++
#endif
  :: else -> break
  od
}

init { byte v, i;
  name[1] = true; file[0] = true; REF(1, 0) = true;
  atomic {
    run vacuum(); run writer(2);
#ifdef WRITER
    run writer(1);
#endif
#ifdef COMPACTION
    run writer(3);
#endif
#ifdef READER
    run reader();
#endif
#ifdef TAGS
    run tagger();
#endif
#ifdef RESTORE
    run restorer();
#endif
  }
  (_nr_pr == 1);
  d_step {
    assert(count[latest] == acks);
    assert(latest == 1 + acks);
    assert(tag == 0 || (name[tag] && !RETIRED(tag)));
    v = 1;
    do
    :: v <= NV ->
       if
       :: name[v] -> i = 0;
          do :: i < NF -> if :: REF(v, i) -> assert(file[i]) :: else fi; i++ :: else -> break od
       :: else
       fi; v++
    :: else -> break
    od
  }
}
