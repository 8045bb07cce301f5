/**
 * The compiler for those who use it from TypeScript: patches to running programs, and the graphs,
 * derivatives and oracle in between. What is not listed here may change without notice.
 */

export { compile, programOf } from './compile.ts';
export type { CompileOptions } from './compile.ts';
export type { Artifact } from './artifact.ts';
export { buildPatch } from './patch/builder.ts';
export { parsePatch } from './patch/schema.ts';
export type { Patch } from './patch/schema.ts';
export { Instance } from './run/instance.ts';

export { Builder } from './ir/builder.ts';
export type { Graph, NodeId } from './ir/graph.ts';
export type { Precision, Program } from './ir/program.ts';
export { print } from './ir/print.ts';
export { verify } from './ir/verify.ts';
export { Interpreter } from './interpret/interpret.ts';

export { differentiate, objectiveActivity } from './ad/gradient.ts';
export type { Loss, Objective } from './ad/gradient.ts';
export { hessianVector, jacobianVector } from './ad/second.ts';
export { gradcheck } from './check/gradcheck.ts';
export { measureLoss } from './check/loss.ts';
export type { LossOptions, MeasuredLoss } from './check/loss.ts';
