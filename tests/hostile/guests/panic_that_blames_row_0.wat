;; Traps in every batch of more than one row, and always blames the first row:
;; as many calls as it can make the host do.
(func $thirteen (param $row i32) (unreachable))
(func $look (param $row i32) (param $value i64)
  (if (i32.gt_u (i32.load offset=4 (i32.const 0x100000)) (i32.const 1))
    (then
      (call $log (i32.const 4) (i32.const 1) (i32.const 0) (i32.const 1024) (i32.const 16))
      (unreachable)))
  (if (i64.eq (local.get $value) (i64.const 13)) (then (call $thirteen (local.get $row)))))
