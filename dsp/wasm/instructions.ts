/**
 * WebAssembly instructions that the generator uses: name, bytes, and what follows them.
 *
 * Source: WebAssembly Core Specification 2.0, section 5.4 (binary format of instructions) and
 * appendix "Index of Instructions". Tested: every instruction through an independent assembler.
 */

/** What follows an instruction's bytes. */
export type Immediate =
  | 'none'
  | 'block'
  | 'index'
  | 'memory'
  | 'i32'
  | 'f32'
  | 'f64'
  | 'v128'
  | 'lane'
  | 'zeros1'
  | 'zeros2';

interface Instruction {
  readonly bytes: readonly number[];
  readonly immediate: Immediate;
}

export const INSTRUCTIONS = {
  block: { bytes: [0x02], immediate: 'block' },
  loop: { bytes: [0x03], immediate: 'block' },
  if: { bytes: [0x04], immediate: 'block' },
  else: { bytes: [0x05], immediate: 'none' },
  end: { bytes: [0x0b], immediate: 'none' },
  br: { bytes: [0x0c], immediate: 'index' },
  br_if: { bytes: [0x0d], immediate: 'index' },
  return: { bytes: [0x0f], immediate: 'none' },
  call: { bytes: [0x10], immediate: 'index' },
  drop: { bytes: [0x1a], immediate: 'none' },
  select: { bytes: [0x1b], immediate: 'none' },
  'local.get': { bytes: [0x20], immediate: 'index' },
  'local.set': { bytes: [0x21], immediate: 'index' },
  'local.tee': { bytes: [0x22], immediate: 'index' },
  'i32.load': { bytes: [0x28], immediate: 'memory' },
  'f32.load': { bytes: [0x2a], immediate: 'memory' },
  'f64.load': { bytes: [0x2b], immediate: 'memory' },
  'i32.store': { bytes: [0x36], immediate: 'memory' },
  'f32.store': { bytes: [0x38], immediate: 'memory' },
  'f64.store': { bytes: [0x39], immediate: 'memory' },
  'i32.const': { bytes: [0x41], immediate: 'i32' },
  'f32.const': { bytes: [0x43], immediate: 'f32' },
  'f64.const': { bytes: [0x44], immediate: 'f64' },
  'i32.eqz': { bytes: [0x45], immediate: 'none' },
  'i32.eq': { bytes: [0x46], immediate: 'none' },
  'i32.ne': { bytes: [0x47], immediate: 'none' },
  'i32.lt_s': { bytes: [0x48], immediate: 'none' },
  'i32.lt_u': { bytes: [0x49], immediate: 'none' },
  'i32.gt_s': { bytes: [0x4a], immediate: 'none' },
  'i32.gt_u': { bytes: [0x4b], immediate: 'none' },
  'i32.le_s': { bytes: [0x4c], immediate: 'none' },
  'i32.le_u': { bytes: [0x4d], immediate: 'none' },
  'i32.ge_s': { bytes: [0x4e], immediate: 'none' },
  'i32.ge_u': { bytes: [0x4f], immediate: 'none' },
  'f32.eq': { bytes: [0x5b], immediate: 'none' },
  'f32.ne': { bytes: [0x5c], immediate: 'none' },
  'f32.lt': { bytes: [0x5d], immediate: 'none' },
  'f32.gt': { bytes: [0x5e], immediate: 'none' },
  'f32.le': { bytes: [0x5f], immediate: 'none' },
  'f32.ge': { bytes: [0x60], immediate: 'none' },
  'f64.eq': { bytes: [0x61], immediate: 'none' },
  'f64.ne': { bytes: [0x62], immediate: 'none' },
  'f64.lt': { bytes: [0x63], immediate: 'none' },
  'f64.gt': { bytes: [0x64], immediate: 'none' },
  'f64.le': { bytes: [0x65], immediate: 'none' },
  'f64.ge': { bytes: [0x66], immediate: 'none' },
  'i32.add': { bytes: [0x6a], immediate: 'none' },
  'i32.sub': { bytes: [0x6b], immediate: 'none' },
  'i32.mul': { bytes: [0x6c], immediate: 'none' },
  'i32.and': { bytes: [0x71], immediate: 'none' },
  'i32.or': { bytes: [0x72], immediate: 'none' },
  'i32.xor': { bytes: [0x73], immediate: 'none' },
  'i32.shl': { bytes: [0x74], immediate: 'none' },
  'i32.shr_s': { bytes: [0x75], immediate: 'none' },
  'i32.shr_u': { bytes: [0x76], immediate: 'none' },
  'f32.abs': { bytes: [0x8b], immediate: 'none' },
  'f32.neg': { bytes: [0x8c], immediate: 'none' },
  'f32.ceil': { bytes: [0x8d], immediate: 'none' },
  'f32.floor': { bytes: [0x8e], immediate: 'none' },
  'f32.trunc': { bytes: [0x8f], immediate: 'none' },
  'f32.nearest': { bytes: [0x90], immediate: 'none' },
  'f32.sqrt': { bytes: [0x91], immediate: 'none' },
  'f32.add': { bytes: [0x92], immediate: 'none' },
  'f32.sub': { bytes: [0x93], immediate: 'none' },
  'f32.mul': { bytes: [0x94], immediate: 'none' },
  'f32.div': { bytes: [0x95], immediate: 'none' },
  'f32.min': { bytes: [0x96], immediate: 'none' },
  'f32.max': { bytes: [0x97], immediate: 'none' },
  'f32.copysign': { bytes: [0x98], immediate: 'none' },
  'f64.abs': { bytes: [0x99], immediate: 'none' },
  'f64.neg': { bytes: [0x9a], immediate: 'none' },
  'f64.ceil': { bytes: [0x9b], immediate: 'none' },
  'f64.floor': { bytes: [0x9c], immediate: 'none' },
  'f64.trunc': { bytes: [0x9d], immediate: 'none' },
  'f64.nearest': { bytes: [0x9e], immediate: 'none' },
  'f64.sqrt': { bytes: [0x9f], immediate: 'none' },
  'f64.add': { bytes: [0xa0], immediate: 'none' },
  'f64.sub': { bytes: [0xa1], immediate: 'none' },
  'f64.mul': { bytes: [0xa2], immediate: 'none' },
  'f64.div': { bytes: [0xa3], immediate: 'none' },
  'f64.min': { bytes: [0xa4], immediate: 'none' },
  'f64.max': { bytes: [0xa5], immediate: 'none' },
  'f64.copysign': { bytes: [0xa6], immediate: 'none' },
  'f32.convert_i32_s': { bytes: [0xb2], immediate: 'none' },
  'f32.demote_f64': { bytes: [0xb6], immediate: 'none' },
  'f64.convert_i32_s': { bytes: [0xb7], immediate: 'none' },
  'f64.promote_f32': { bytes: [0xbb], immediate: 'none' },
  'i32.reinterpret_f32': { bytes: [0xbc], immediate: 'none' },
  'f32.reinterpret_i32': { bytes: [0xbe], immediate: 'none' },
  'i32.trunc_sat_f32_s': { bytes: [0xfc, 0x00], immediate: 'none' },
  'i32.trunc_sat_f64_s': { bytes: [0xfc, 0x02], immediate: 'none' },
  'memory.copy': { bytes: [0xfc, 0x0a], immediate: 'zeros2' },
  'memory.fill': { bytes: [0xfc, 0x0b], immediate: 'zeros1' },
  'v128.load': { bytes: [0xfd, 0x00], immediate: 'memory' },
  'v128.store': { bytes: [0xfd, 0x0b], immediate: 'memory' },
  'v128.const': { bytes: [0xfd, 0x0c], immediate: 'v128' },
  'i8x16.shuffle': { bytes: [0xfd, 0x0d], immediate: 'v128' },
  'i32x4.splat': { bytes: [0xfd, 0x11], immediate: 'none' },
  'f32x4.splat': { bytes: [0xfd, 0x13], immediate: 'none' },
  'f32x4.extract_lane': { bytes: [0xfd, 0x1f], immediate: 'lane' },
  'i32x4.extract_lane': { bytes: [0xfd, 0x1b], immediate: 'lane' },
  'i32x4.eq': { bytes: [0xfd, 0x37], immediate: 'none' },
  'i32x4.ne': { bytes: [0xfd, 0x38], immediate: 'none' },
  'i32x4.lt_s': { bytes: [0xfd, 0x39], immediate: 'none' },
  'i32x4.lt_u': { bytes: [0xfd, 0x3a], immediate: 'none' },
  'i32x4.gt_s': { bytes: [0xfd, 0x3b], immediate: 'none' },
  'i32x4.gt_u': { bytes: [0xfd, 0x3c], immediate: 'none' },
  'i32x4.le_s': { bytes: [0xfd, 0x3d], immediate: 'none' },
  'i32x4.le_u': { bytes: [0xfd, 0x3e], immediate: 'none' },
  'i32x4.ge_s': { bytes: [0xfd, 0x3f], immediate: 'none' },
  'i32x4.ge_u': { bytes: [0xfd, 0x40], immediate: 'none' },
  'f32x4.eq': { bytes: [0xfd, 0x41], immediate: 'none' },
  'f32x4.ne': { bytes: [0xfd, 0x42], immediate: 'none' },
  'f32x4.lt': { bytes: [0xfd, 0x43], immediate: 'none' },
  'f32x4.gt': { bytes: [0xfd, 0x44], immediate: 'none' },
  'f32x4.le': { bytes: [0xfd, 0x45], immediate: 'none' },
  'f32x4.ge': { bytes: [0xfd, 0x46], immediate: 'none' },
  'v128.not': { bytes: [0xfd, 0x4d], immediate: 'none' },
  'v128.and': { bytes: [0xfd, 0x4e], immediate: 'none' },
  'v128.andnot': { bytes: [0xfd, 0x4f], immediate: 'none' },
  'v128.or': { bytes: [0xfd, 0x50], immediate: 'none' },
  'v128.xor': { bytes: [0xfd, 0x51], immediate: 'none' },
  'v128.bitselect': { bytes: [0xfd, 0x52], immediate: 'none' },
  'v128.any_true': { bytes: [0xfd, 0x53], immediate: 'none' },
  'f32x4.nearest': { bytes: [0xfd, 0x6a], immediate: 'none' },
  'i32x4.abs': { bytes: [0xfd, 0xa0, 0x01], immediate: 'none' },
  'i32x4.neg': { bytes: [0xfd, 0xa1, 0x01], immediate: 'none' },
  'i32x4.shl': { bytes: [0xfd, 0xab, 0x01], immediate: 'none' },
  'i32x4.shr_s': { bytes: [0xfd, 0xac, 0x01], immediate: 'none' },
  'i32x4.shr_u': { bytes: [0xfd, 0xad, 0x01], immediate: 'none' },
  'i32x4.add': { bytes: [0xfd, 0xae, 0x01], immediate: 'none' },
  'i32x4.sub': { bytes: [0xfd, 0xb1, 0x01], immediate: 'none' },
  'i32x4.mul': { bytes: [0xfd, 0xb5, 0x01], immediate: 'none' },
  'i32x4.min_s': { bytes: [0xfd, 0xb6, 0x01], immediate: 'none' },
  'i32x4.max_s': { bytes: [0xfd, 0xb8, 0x01], immediate: 'none' },
  'f32x4.abs': { bytes: [0xfd, 0xe0, 0x01], immediate: 'none' },
  'f32x4.neg': { bytes: [0xfd, 0xe1, 0x01], immediate: 'none' },
  'f32x4.sqrt': { bytes: [0xfd, 0xe3, 0x01], immediate: 'none' },
  'f32x4.add': { bytes: [0xfd, 0xe4, 0x01], immediate: 'none' },
  'f32x4.sub': { bytes: [0xfd, 0xe5, 0x01], immediate: 'none' },
  'f32x4.mul': { bytes: [0xfd, 0xe6, 0x01], immediate: 'none' },
  'f32x4.div': { bytes: [0xfd, 0xe7, 0x01], immediate: 'none' },
  'f32x4.pmin': { bytes: [0xfd, 0xea, 0x01], immediate: 'none' },
  'f32x4.pmax': { bytes: [0xfd, 0xeb, 0x01], immediate: 'none' },
  'i32x4.trunc_sat_f32x4_s': { bytes: [0xfd, 0xf8, 0x01], immediate: 'none' },
  'f32x4.convert_i32x4_s': { bytes: [0xfd, 0xfa, 0x01], immediate: 'none' },
} as const satisfies Record<string, Instruction>;

export type Mnemonic = keyof typeof INSTRUCTIONS;

/** Natural alignment of a memory instruction, as a power of two. */
export function alignmentOf(name: Mnemonic): number {
  if (name.startsWith('v128')) return 4;
  return name.startsWith('f64') ? 3 : 2;
}
