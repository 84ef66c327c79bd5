;; As counter.wat, with its count in memory.
(func $look (param $row i32) (param $value i64)
  (local $at i32)
  (i64.store (i32.const 64) (i64.add (i64.load (i32.const 64)) (i64.const 1)))
  (local.set $at (i32.add (i32.const 0x200040) (i32.shl (local.get $row) (i32.const 3))))
  (if (i64.eqz (i64.rem_u (i64.load (i32.const 64)) (i64.const 1000)))
    (then (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (i64.const 1))))))
