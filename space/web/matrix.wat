;; The two products of products.js on rows of floats, two numbers at a time. Sums have double precision here too.
;;
;; In memory: rows of floats, each `stride` bytes long, from address 0 on; numbers of rows, four bytes each, from `rows` up
;; to `rows_end`, a multiple of four of them; a vector of doubles with one number for each float of a row; and one double
;; for each of those rows.
(module
  (memory (import "js" "memory") 1)

  ;; out[i] = row i times the vector, for each of the rows.
  (func (export "correlate")
    (param $rows i32) (param $rows_end i32) (param $stride i32) (param $vector i32) (param $out i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $at i32) (local $end i32)
    (local $x v128) (local $p v128) (local $q v128) (local $r v128) (local $s v128)
    (local.set $end (i32.add (local.get $vector) (i32.shl (local.get $stride) (i32.const 1))))
    (loop $four
      (local.set $a (i32.mul (local.get $stride) (i32.load (local.get $rows))))
      (local.set $b (i32.mul (local.get $stride) (i32.load offset=4 (local.get $rows))))
      (local.set $c (i32.mul (local.get $stride) (i32.load offset=8 (local.get $rows))))
      (local.set $d (i32.mul (local.get $stride) (i32.load offset=12 (local.get $rows))))
      (local.set $p (v128.const i64x2 0 0))
      (local.set $q (v128.const i64x2 0 0))
      (local.set $r (v128.const i64x2 0 0))
      (local.set $s (v128.const i64x2 0 0))
      (local.set $at (local.get $vector))
      (loop $two
        (local.set $x (v128.load (local.get $at)))
        (local.set $p (f64x2.add (local.get $p)
          (f64x2.mul (local.get $x) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $a))))))
        (local.set $q (f64x2.add (local.get $q)
          (f64x2.mul (local.get $x) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $b))))))
        (local.set $r (f64x2.add (local.get $r)
          (f64x2.mul (local.get $x) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $c))))))
        (local.set $s (f64x2.add (local.get $s)
          (f64x2.mul (local.get $x) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $d))))))
        (local.set $a (i32.add (local.get $a) (i32.const 8)))
        (local.set $b (i32.add (local.get $b) (i32.const 8)))
        (local.set $c (i32.add (local.get $c) (i32.const 8)))
        (local.set $d (i32.add (local.get $d) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $two (i32.lt_u (local.get $at) (local.get $end))))
      (f64.store (local.get $out)
        (f64.add (f64x2.extract_lane 0 (local.get $p)) (f64x2.extract_lane 1 (local.get $p))))
      (f64.store offset=8 (local.get $out)
        (f64.add (f64x2.extract_lane 0 (local.get $q)) (f64x2.extract_lane 1 (local.get $q))))
      (f64.store offset=16 (local.get $out)
        (f64.add (f64x2.extract_lane 0 (local.get $r)) (f64x2.extract_lane 1 (local.get $r))))
      (f64.store offset=24 (local.get $out)
        (f64.add (f64x2.extract_lane 0 (local.get $s)) (f64x2.extract_lane 1 (local.get $s))))
      (local.set $out (i32.add (local.get $out) (i32.const 32)))
      (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
      (br_if $four (i32.lt_u (local.get $rows) (local.get $rows_end)))))

  ;; vector += the sum of the rows, each times its weight.
  (func (export "accumulate")
    (param $rows i32) (param $rows_end i32) (param $stride i32) (param $vector i32) (param $weights i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $at i32) (local $end i32)
    (local $p v128) (local $q v128) (local $r v128) (local $s v128)
    (local.set $end (i32.add (local.get $vector) (i32.shl (local.get $stride) (i32.const 1))))
    (loop $four
      (local.set $a (i32.mul (local.get $stride) (i32.load (local.get $rows))))
      (local.set $b (i32.mul (local.get $stride) (i32.load offset=4 (local.get $rows))))
      (local.set $c (i32.mul (local.get $stride) (i32.load offset=8 (local.get $rows))))
      (local.set $d (i32.mul (local.get $stride) (i32.load offset=12 (local.get $rows))))
      (local.set $p (v128.load64_splat (local.get $weights)))
      (local.set $q (v128.load64_splat offset=8 (local.get $weights)))
      (local.set $r (v128.load64_splat offset=16 (local.get $weights)))
      (local.set $s (v128.load64_splat offset=24 (local.get $weights)))
      (local.set $at (local.get $vector))
      (loop $two
        (v128.store (local.get $at)
          (f64x2.add (v128.load (local.get $at))
            (f64x2.add
              (f64x2.add
                (f64x2.mul (local.get $p) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $a))))
                (f64x2.mul (local.get $q) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $b)))))
              (f64x2.add
                (f64x2.mul (local.get $r) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $c))))
                (f64x2.mul (local.get $s) (f64x2.promote_low_f32x4 (v128.load64_zero (local.get $d))))))))
        (local.set $a (i32.add (local.get $a) (i32.const 8)))
        (local.set $b (i32.add (local.get $b) (i32.const 8)))
        (local.set $c (i32.add (local.get $c) (i32.const 8)))
        (local.set $d (i32.add (local.get $d) (i32.const 8)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $two (i32.lt_u (local.get $at) (local.get $end))))
      (local.set $weights (i32.add (local.get $weights) (i32.const 32)))
      (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
      (br_if $four (i32.lt_u (local.get $rows) (local.get $rows_end))))))
