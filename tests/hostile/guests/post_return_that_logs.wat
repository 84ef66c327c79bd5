;; Calls out while the host lets it clean up.
(global $spoilt (mut i32) (i32.const 0))
(func $thirteen (param $row i32) (global.set $spoilt (i32.const 1)))
(func $after (export "cabi_post_unskew:module/evaluate@1.0.0#transform") (param $reply i32)
  (if (global.get $spoilt)
    (then (call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 4)))))
