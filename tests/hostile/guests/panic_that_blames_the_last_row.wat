;; Traps in all company and always blames the last row: whoever believes it hands
;; over all the rows before, one fewer each time.
(func $look (param $row i32) (param $value i64)
  (local $rows i32)
  (local.set $rows (i32.load offset=4 (i32.const 0x100000)))
  (if (i32.gt_u (local.get $rows) (i32.const 1))
    (then
      (call $log (i32.const 4) (i32.const 1) (i32.sub (local.get $rows) (i32.const 1)) (i32.const 1024) (i32.const 16))
      (unreachable)))
  (if (i64.eq (local.get $value) (i64.const 13)) (then (unreachable))))
