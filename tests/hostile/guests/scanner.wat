;; Looks for what the last tenant of its place left behind: its row yields the
;; number of words that are not zero in memory that it has never written to.
(func $thirteen (param $row i32)
  (local $at i32) (local $end i32) (local $found i64)
  (drop (memory.grow (i32.const 900)))
  (local.set $at (i32.const 0x300000))
  (local.set $end (i32.shl (memory.size) (i32.const 16)))
  (loop $next
    (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
      (then (local.set $found (i64.add (local.get $found) (i64.const 1)))))
    (local.set $at (i32.add (local.get $at) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
  (i64.store (i32.add (i32.const 0x200040) (i32.shl (local.get $row) (i32.const 3))) (local.get $found)))
