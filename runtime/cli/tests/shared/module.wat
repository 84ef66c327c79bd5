;; A module by hand, so that tests need no guest toolchain. MANIFEST stands for
;; the manifest's text, LENGTH for its length in bytes.
;;
;; transforms  0  double(x) = 2x; a negative x is an error, 13 traps, 14 is logged
;;             1  counted(x) = x + the calls that the instance has seen: impure
;; aggregates  0  total(x), which can subtract
;;             1  newest(x), the last row: breaks the laws
(module
  (import "unskew:module/log@1.0.0" "write"
    (func $log (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 65536))
  (global $calls (mut i64) (i64.const 0))
  (data (i32.const 16) "negative")
  (data (i32.const 32) "thirteen is coming")
  (data (i32.const 64) "fourteen is here")
  (data (i32.const 1024) "MANIFEST")

  ;; Memory at a multiple of 16, given back when the call is over.
  (func $allocate (param $size i32) (result i32)
    (local $start i32)
    (local $end i32)
    (local.set $start (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (local.set $end (i32.add (local.get $start) (local.get $size)))
    (global.set $heap (local.get $end))
    (block $enough
      (br_if $enough (i32.le_u (local.get $end) (i32.shl (memory.size) (i32.const 16))))
      (br_if $enough
        (i32.ne (i32.const -1)
          (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1)))))
      unreachable)
    (local.get $start))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (call $allocate (local.get 3)))
  (func $release (param i32) (global.set $heap (i32.const 65536)))
  (export "cabi_post_unskew:module/evaluate@1.0.0#manifest" (func $release))
  (export "cabi_post_unskew:module/evaluate@1.0.0#transform" (func $release))
  (export "cabi_post_unskew:module/evaluate@1.0.0#partial" (func $release))
  (export "cabi_post_unskew:module/evaluate@1.0.0#merge" (func $release))
  (export "cabi_post_unskew:module/evaluate@1.0.0#subtract" (func $release))
  (export "cabi_post_unskew:module/evaluate@1.0.0#finish" (func $release))

  (func $up (param i32) (result i32)
    (i32.and (i32.add (local.get 0) (i32.const 15)) (i32.const -16)))
  (func $returned (param $pointer i32) (param $length i32) (result i32)
    (local $pair i32)
    (local.set $pair (call $allocate (i32.const 8)))
    (i32.store (local.get $pair) (local.get $pointer))
    (i32.store offset=4 (local.get $pair) (local.get $length))
    (local.get $pair))
  (func $entry (param $at i32) (param $offset i32) (param $length i32)
    (i32.store (local.get $at) (local.get $offset))
    (i32.store offset=4 (local.get $at) (local.get $length)))
  (func $header (param $body i32) (param $rows i32) (param $length i32)
    (i32.store (local.get $body) (i32.const 0x31425355))
    (i32.store offset=4 (local.get $body) (local.get $rows))
    (i32.store offset=8 (local.get $body) (i32.const 0))
    (i32.store offset=12 (local.get $body) (local.get $length)))
  ;; The buffer whose entry is at `entry` of the body.
  (func $buffer (param $body i32) (param $entry i32) (result i32)
    (i32.add (local.get $body)
      (i32.load (i32.add (local.get $body) (local.get $entry)))))

  (func (export "unskew:module/evaluate@1.0.0#manifest") (result i32)
    (call $returned (i32.const 1024) (i32.const LENGTH)))

  ;; A reply of one int64 column without nulls, and of `errors` errors whose
  ;; messages are "negative". Values are at 64, the failed rows at the
  ;; buffer of entry 40.
  (func $integers (param $rows i32) (param $errors i32) (result i32)
    (local $body i32) (local $failed i32) (local $offsets i32) (local $text i32) (local $end i32)
    (local $i i32)
    (local.set $failed
      (call $up (i32.add (i32.const 64) (i32.shl (local.get $rows) (i32.const 3)))))
    (local.set $offsets
      (call $up (i32.add (local.get $failed) (i32.shl (local.get $errors) (i32.const 2)))))
    (local.set $text
      (call $up
        (i32.add (i32.add (local.get $offsets) (i32.const 4))
          (i32.shl (local.get $errors) (i32.const 2)))))
    (local.set $end (i32.add (local.get $text) (i32.shl (local.get $errors) (i32.const 3))))
    (local.set $body (call $allocate (local.get $end)))
    (call $header (local.get $body) (local.get $rows) (local.get $end))
    (call $entry (i32.add (local.get $body) (i32.const 16)) (local.get $rows) (i32.const 0))
    (call $entry (i32.add (local.get $body) (i32.const 24)) (i32.const 64) (i32.const 0))
    (call $entry (i32.add (local.get $body) (i32.const 32))
      (i32.const 64) (i32.shl (local.get $rows) (i32.const 3)))
    (call $entry (i32.add (local.get $body) (i32.const 40))
      (local.get $failed) (i32.shl (local.get $errors) (i32.const 2)))
    (call $entry (i32.add (local.get $body) (i32.const 48))
      (local.get $offsets)
      (i32.add (i32.const 4) (i32.shl (local.get $errors) (i32.const 2))))
    (call $entry (i32.add (local.get $body) (i32.const 56))
      (local.get $text) (i32.shl (local.get $errors) (i32.const 3)))
    (i32.store (i32.add (local.get $body) (local.get $offsets)) (i32.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $errors)))
        (i64.store
          (i32.add (i32.add (local.get $body) (local.get $text))
            (i32.shl (local.get $i) (i32.const 3)))
          (i64.load (i32.const 16)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (i32.store
          (i32.add (i32.add (local.get $body) (local.get $offsets))
            (i32.shl (local.get $i) (i32.const 2)))
          (i32.shl (local.get $i) (i32.const 3)))
        (br $next)))
    (local.get $body))

  (func (export "unskew:module/evaluate@1.0.0#transform")
    (param $index i32) (param $body i32) (param $length i32) (result i32)
    (local $rows i32) (local $values i32) (local $errors i32) (local $i i32) (local $x i64)
    (local $reply i32) (local $failed i32)
    (global.set $calls (i64.add (global.get $calls) (i64.const 1)))
    (local.set $rows (i32.load offset=4 (local.get $body)))
    (local.set $values (call $buffer (local.get $body) (i32.const 32)))
    (if (i32.eqz (local.get $index))
      (then
        (block $counted
          (loop $next
            (br_if $counted (i32.ge_u (local.get $i) (local.get $rows)))
            (local.set $x
              (i64.load (i32.add (local.get $values) (i32.shl (local.get $i) (i32.const 3)))))
            (if (i64.eq (local.get $x) (i64.const 13))
              (then
                (call $log (i32.const 4) (i32.const 1) (local.get $i) (i32.const 32) (i32.const 18))
                unreachable))
            (if (i64.eq (local.get $x) (i64.const 14))
              (then
                (call $log (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 64) (i32.const 16))))
            (local.set $errors
              (i32.add (local.get $errors) (i64.lt_s (local.get $x) (i64.const 0))))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br $next)))))
    (local.set $reply (call $integers (local.get $rows) (local.get $errors)))
    (local.set $failed (call $buffer (local.get $reply) (i32.const 40)))
    (local.set $i (i32.const 0))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
        (local.set $x
          (i64.load (i32.add (local.get $values) (i32.shl (local.get $i) (i32.const 3)))))
        (if (i32.and (i32.eqz (local.get $index)) (i64.lt_s (local.get $x) (i64.const 0)))
          (then
            (i32.store (local.get $failed) (local.get $i))
            (local.set $failed (i32.add (local.get $failed) (i32.const 4)))))
        (i64.store offset=64
          (i32.add (local.get $reply) (i32.shl (local.get $i) (i32.const 3)))
          (i64.add (local.get $x)
            (select (global.get $calls) (local.get $x) (local.get $index))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (call $returned (local.get $reply) (i32.load offset=12 (local.get $reply))))

  ;; A reply of one column of states, each of 8 zero bytes at the buffer of entry 40.
  (func $states (param $count i32) (result i32)
    (local $body i32) (local $bytes i32) (local $last i32) (local $i i32)
    (local.set $bytes
      (call $up (i32.add (i32.const 84) (i32.shl (local.get $count) (i32.const 2)))))
    (local.set $last
      (call $up (i32.add (local.get $bytes) (i32.shl (local.get $count) (i32.const 3)))))
    (local.set $body (call $allocate (i32.add (local.get $last) (i32.const 16))))
    (call $header (local.get $body) (local.get $count)
      (i32.add (local.get $last) (i32.const 16)))
    (call $entry (i32.add (local.get $body) (i32.const 16)) (local.get $count) (i32.const 0))
    (call $entry (i32.add (local.get $body) (i32.const 24)) (i32.const 80) (i32.const 0))
    (call $entry (i32.add (local.get $body) (i32.const 32))
      (i32.const 80) (i32.shl (i32.add (local.get $count) (i32.const 1)) (i32.const 2)))
    (call $entry (i32.add (local.get $body) (i32.const 40))
      (local.get $bytes) (i32.shl (local.get $count) (i32.const 3)))
    (call $entry (i32.add (local.get $body) (i32.const 48)) (local.get $last) (i32.const 0))
    (call $entry (i32.add (local.get $body) (i32.const 56)) (local.get $last) (i32.const 4))
    (call $entry (i32.add (local.get $body) (i32.const 64))
      (i32.add (local.get $last) (i32.const 16)) (i32.const 0))
    (i32.store (i32.add (local.get $body) (local.get $last)) (i32.const 0))
    (block $done
      (loop $next
        (i32.store offset=80
          (i32.add (local.get $body) (i32.shl (local.get $i) (i32.const 2)))
          (i32.shl (local.get $i) (i32.const 3)))
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (i64.store
          (i32.add (i32.add (local.get $body) (local.get $bytes))
            (i32.shl (local.get $i) (i32.const 3)))
          (i64.const 0))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $body))

  (func (export "unskew:module/evaluate@1.0.0#partial")
    (param $index i32) (param $body i32) (param $length i32) (result i32)
    (local $rows i32) (local $i i32) (local $reply i32) (local $state i32)
    (local.set $rows (i32.load offset=4 (local.get $body)))
    (local.set $reply (call $states (i32.load offset=8 (local.get $body))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
        (local.set $state
          (i32.add (call $buffer (local.get $reply) (i32.const 40))
            (i32.shl
              (i32.load
                (i32.add (call $buffer (local.get $body) (i32.const 56))
                  (i32.shl (local.get $i) (i32.const 2))))
              (i32.const 3))))
        (i64.store (local.get $state)
          (i64.add
            (select (i64.const 0) (i64.load (local.get $state)) (local.get $index))
            (i64.load
              (i32.add (call $buffer (local.get $body) (i32.const 32))
                (i32.shl (local.get $i) (i32.const 3))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (call $returned (local.get $reply) (i32.load offset=12 (local.get $reply))))

  ;; left * keep + right * sign
  (func $pairwise (param $body i32) (param $keep i64) (param $sign i64) (result i32)
    (local $rows i32) (local $i i32) (local $reply i32) (local $at i32)
    (local.set $rows (i32.load offset=4 (local.get $body)))
    (local.set $reply (call $states (local.get $rows)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $i) (local.get $rows)))
        (local.set $at (i32.shl (local.get $i) (i32.const 3)))
        (i64.store
          (i32.add (call $buffer (local.get $reply) (i32.const 40)) (local.get $at))
          (i64.add
            (i64.mul (local.get $keep)
              (i64.load (i32.add (call $buffer (local.get $body) (i32.const 40)) (local.get $at))))
            (i64.mul (local.get $sign)
              (i64.load
                (i32.add (call $buffer (local.get $body) (i32.const 72)) (local.get $at))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (call $returned (local.get $reply) (i32.load offset=12 (local.get $reply))))

  (func (export "unskew:module/evaluate@1.0.0#merge")
    (param $index i32) (param $body i32) (param $length i32) (result i32)
    (call $pairwise (local.get $body)
      (i64.extend_i32_u (i32.eqz (local.get $index))) (i64.const 1)))

  (func (export "unskew:module/evaluate@1.0.0#subtract")
    (param $index i32) (param $body i32) (param $length i32) (result i32)
    (call $pairwise (local.get $body) (i64.const 1) (i64.const -1)))

  (func (export "unskew:module/evaluate@1.0.0#finish")
    (param $index i32) (param $body i32) (param $length i32) (result i32)
    (local $rows i32) (local $reply i32)
    (local.set $rows (i32.load offset=4 (local.get $body)))
    (local.set $reply (call $integers (local.get $rows) (i32.const 0)))
    (memory.copy
      (i32.add (local.get $reply) (i32.const 64))
      (call $buffer (local.get $body) (i32.const 40))
      (i32.shl (local.get $rows) (i32.const 3)))
    (call $returned (local.get $reply) (i32.load offset=12 (local.get $reply)))))
