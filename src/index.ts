/** The public surface of the package, and its only barrel. */
export * from "./api/arrow.js";
export { type BranchContents, Branches } from "./api/branches.js";
export type { CommitMetadata } from "./api/commit-metadata.js";
export { Connection, connect } from "./api/connection.js";
export type { DatabaseMetrics } from "./api/database.js";
export { type SqlFragment, type SqlInput, sql } from "./api/filter.js";
export { Findings } from "./api/findings.js";
export type { InputData } from "./api/input.js";
export { type MergeExecution, MergeInsertBuilder } from "./api/merge.js";
export type { ObservedMetrics } from "./api/open-table.js";
export type { OptimizeOptions, OptimizeStats } from "./api/optimize.js";
export type { ConnectionOptions, CoordinationMode } from "./api/options.js";
export { Query } from "./api/query.js";
export type { QueryExecutionOptions, Row, Selection } from "./api/query-base.js";
export type {
  AddColumnsResult,
  AddResult,
  AlterColumnsResult,
  CommitInfo,
  DeleteResult,
  DropColumnsResult,
  MergeResult,
  TableStatistics,
  UpdateResult,
  Version,
  WriteProgress,
} from "./api/results.js";
export type { AddColumnsSql, ColumnAlteration, FieldMetadataUpdate } from "./api/schema-changes.js";
export type { SysTable } from "./api/sys.js";
export { Table } from "./api/table.js";
export type { CreateTableOptions, OpenTableOptions, TableNamesOptions } from "./api/table-options.js";
export { TableSnapshot } from "./api/table-snapshot.js";
export { type TagContents, Tags } from "./api/tags.js";
export { TakeQuery } from "./api/take-query.js";
export type { Expressions, UpdateRequest, Values } from "./api/update-request.js";
export type { IntoVector, MultiVector, Vector } from "./api/vector.js";
export { VectorQuery } from "./api/vector-query.js";
export type { AddOptions, UpdateOptions, WriteOptions } from "./api/write-options.js";
export { BufferedWriter, type WriterData, type WriterOptions } from "./api/writer.js";
export type { Diagnosis, DoctorOptions } from "./chores/doctor.js";
export type { Finding, FindingId, Severity } from "./chores/findings.js";
export type { MaintenanceMetrics, MaintenanceOptions } from "./chores/maintain.js";
export type { VerifyOptions, VerifyProgress } from "./chores/verify.js";
export type { Durability } from "./commit/durability.js";
export type { ConflictCount, TableMetrics } from "./commit/meters.js";
export type { QueueMetrics, QueueOptions } from "./commit/queue.js";
export type { ColumnOrder } from "./compute/scan.js";
export type { DataFormat } from "./data/codec.js";
export { ERROR_CODES, type ErrorCode, isTableError, type RetryHint, TableError } from "./support/errors.js";
export type { Runtime } from "./support/runtime.js";
export type { Durations } from "./support/telemetry.js";
