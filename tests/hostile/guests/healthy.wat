;; What every guest here is, but for the definitions in its own file, which
;; stand in for those of the same name. It keeps to the contract:
;;
;;   transform 0   f(x: int64) -> f: int64, twice x
;;   aggregate 0   total(x: int64) -> total: int64, whose states are 8 bytes
;;
;; Requests lie at 1 MiB, replies at 2 MiB. `$thirteen` is called for every 13
;; among the values or states, and `$spoil` with the reply's address where
;; there was one: most guests misbehave there, so that the other rows and calls
;; show what is left of it. MANIFEST and LENGTH stand for the manifest.
(import "unskew:module/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))
(memory $memory (export "memory") 64)
(global $seen (mut i32) (i32.const 0))
(data $manifest (i32.const 1024) "MANIFEST")

(func $thirteen (param $row i32))
(func $spoil (param $reply i32))

(func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
  (result i32)
  (i32.const 0x100000))

(func $manifest (export "unskew:module/evaluate@1.0.0#manifest") (result i32)
  (call $returned (i32.const 1024) (i32.const LENGTH)))

(func $returned (param $at i32) (param $length i32) (result i32)
  (i32.store (i32.const 16) (local.get $at))
  (i32.store (i32.const 20) (local.get $length))
  (i32.const 16))

(func $look (param $row i32) (param $value i64)
  (if (i64.eq (local.get $value) (i64.const 13))
    (then (global.set $seen (i32.const 1)) (call $thirteen (local.get $row)))))

;; The head and table of a reply, and the node of its one column.
(func $head (param $table i32) (param $rows i32) (param $length i32)
  (memory.fill (i32.const 0x200000) (i32.const 0) (local.get $table))
  (i32.store (i32.const 0x200000) (i32.const 0x31425355))
  (i32.store (i32.const 0x200004) (local.get $rows))
  (i32.store (i32.const 0x20000c) (local.get $length))
  (i32.store (i32.const 0x200010) (local.get $rows)))
(func $done (param $length i32) (result i32)
  (if (global.get $seen) (then (call $spoil (i32.const 0x200000))))
  (global.set $seen (i32.const 0))
  (call $returned (i32.const 0x200000) (local.get $length)))

;; A reply of int64, whose values are at 64.
(func $integers (param $rows i32) (result i32)
  (local $length i32)
  (local.set $length (i32.add (i32.const 64) (i32.shl (local.get $rows) (i32.const 3))))
  (call $head (i32.const 64) (local.get $rows) (local.get $length))
  (i32.store (i32.const 0x200020) (i32.const 64))
  (i32.store (i32.const 0x200024) (i32.shl (local.get $rows) (i32.const 3)))
  (call $done (local.get $length)))
;; A reply of states, whose offsets are at 80; gives where the states lie.
(func $states_at (param $rows i32) (result i32)
  (i32.and (i32.add (i32.const 99) (i32.shl (local.get $rows) (i32.const 2))) (i32.const -16)))
(func $states (param $rows i32) (result i32)
  (local $length i32) (local $row i32)
  (local.set $length (i32.add (call $states_at (local.get $rows)) (i32.shl (local.get $rows) (i32.const 3))))
  (call $head (i32.const 80) (local.get $rows) (local.get $length))
  (i32.store (i32.const 0x200020) (i32.const 80))
  (i32.store (i32.const 0x200024) (i32.shl (i32.add (local.get $rows) (i32.const 1)) (i32.const 2)))
  (i32.store (i32.const 0x200028) (call $states_at (local.get $rows)))
  (i32.store (i32.const 0x20002c) (i32.shl (local.get $rows) (i32.const 3)))
  (loop $next
    (i32.store (i32.add (i32.const 0x200050) (i32.shl (local.get $row) (i32.const 2)))
      (i32.shl (local.get $row) (i32.const 3)))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $next (i32.le_u (local.get $row) (local.get $rows))))
  (call $done (local.get $length)))

;; The 8 bytes of a row in the buffer whose entry is at `entry` of the body.
(func $number (param $body i32) (param $entry i32) (param $row i32) (result i64)
  (i64.load (i32.add (i32.shl (local.get $row) (i32.const 3))
    (i32.add (local.get $body) (i32.load (i32.add (local.get $body) (local.get $entry)))))))

(func $transform (export "unskew:module/evaluate@1.0.0#transform")
  (param $index i32) (param $batch i32) (param $length i32) (result i32)
  (local $rows i32) (local $row i32) (local $x i64)
  (local.set $rows (i32.load offset=4 (local.get $batch)))
  (block $over (loop $next
    (br_if $over (i32.ge_u (local.get $row) (local.get $rows)))
    (local.set $x (call $number (local.get $batch) (i32.const 32) (local.get $row)))
    (i64.store (i32.add (i32.const 0x200040) (i32.shl (local.get $row) (i32.const 3)))
      (i64.shl (local.get $x) (i64.const 1)))
    (call $look (local.get $row) (local.get $x))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br $next)))
  (call $integers (local.get $rows)))

(func $partial (export "unskew:module/evaluate@1.0.0#partial")
  (param $index i32) (param $batch i32) (param $length i32) (result i32)
  (local $rows i32) (local $row i32) (local $groups i32) (local $of i32) (local $x i64)
  (local.set $rows (i32.load offset=4 (local.get $batch)))
  (local.set $groups (i32.load offset=8 (local.get $batch)))
  (memory.fill (i32.const 0x200000) (i32.const 0)
    (i32.add (call $states_at (local.get $groups)) (i32.shl (local.get $groups) (i32.const 3))))
  (block $over (loop $next
    (br_if $over (i32.ge_u (local.get $row) (local.get $rows)))
    (local.set $x (call $number (local.get $batch) (i32.const 32) (local.get $row)))
    (local.set $of (i32.load (i32.add (i32.shl (local.get $row) (i32.const 2))
      (i32.add (local.get $batch) (i32.load offset=56 (local.get $batch))))))
    (local.set $of (i32.add (i32.shl (local.get $of) (i32.const 3))
      (i32.add (i32.const 0x200000) (call $states_at (local.get $groups)))))
    (i64.store (local.get $of) (i64.add (i64.load (local.get $of)) (local.get $x)))
    (call $look (local.get $row) (local.get $x))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br $next)))
  (call $states (local.get $groups)))

(func $pairs (param $batch i32) (param $sign i64) (result i32)
  (local $rows i32) (local $row i32) (local $left i64)
  (local.set $rows (i32.load offset=4 (local.get $batch)))
  (block $over (loop $next
    (br_if $over (i32.ge_u (local.get $row) (local.get $rows)))
    (local.set $left (call $number (local.get $batch) (i32.const 40) (local.get $row)))
    (i64.store
      (i32.add (i32.shl (local.get $row) (i32.const 3))
        (i32.add (i32.const 0x200000) (call $states_at (local.get $rows))))
      (i64.add (local.get $left)
        (i64.mul (local.get $sign) (call $number (local.get $batch) (i32.const 72) (local.get $row)))))
    (call $look (local.get $row) (local.get $left))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br $next)))
  (call $states (local.get $rows)))
(func $merge (export "unskew:module/evaluate@1.0.0#merge")
  (param $index i32) (param $batch i32) (param $length i32) (result i32)
  (call $pairs (local.get $batch) (i64.const 1)))
(func $subtract (export "unskew:module/evaluate@1.0.0#subtract")
  (param $index i32) (param $batch i32) (param $length i32) (result i32)
  (call $pairs (local.get $batch) (i64.const -1)))

(func $finish (export "unskew:module/evaluate@1.0.0#finish")
  (param $index i32) (param $batch i32) (param $length i32) (result i32)
  (local $rows i32) (local $row i32) (local $state i64)
  (local.set $rows (i32.load offset=4 (local.get $batch)))
  (block $over (loop $next
    (br_if $over (i32.ge_u (local.get $row) (local.get $rows)))
    (local.set $state (call $number (local.get $batch) (i32.const 40) (local.get $row)))
    (i64.store (i32.add (i32.const 0x200040) (i32.shl (local.get $row) (i32.const 3))) (local.get $state))
    (call $look (local.get $row) (local.get $state))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br $next)))
  (call $integers (local.get $rows)))
