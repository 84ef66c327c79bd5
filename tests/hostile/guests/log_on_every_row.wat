;; Logs as much as one call may, in every call, of which it forces one for each row.
(func $look (param $row i32) (param $value i64)
  (local $left i32)
  (local.set $left (i32.const 70))
  (loop $again
    (call $log (i32.const 3) (i32.const 1) (local.get $row) (i32.const 1024) (i32.const 250))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $again (local.get $left)))
  (if (i32.gt_u (i32.load offset=4 (i32.const 0x100000)) (i32.const 1)) (then (unreachable)))
  (if (i64.eq (local.get $value) (i64.const 13)) (then (unreachable))))
