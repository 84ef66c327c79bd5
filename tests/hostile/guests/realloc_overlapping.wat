;; The request goes where the manifest, the reply's place and the next request
;; are: the module overwrites itself, and nobody else.
(func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
  (result i32)
  (i32.const 0))
