/** The parquet codec keeps the contract, and its files are Parquet files for everybody else. */
import { parquetCodec } from "../../src/data/parquet/codec.js";
import { describeCodec } from "../contract/codec-contract.js";

describeCodec({ codec: parquetCodec, checksums: true });
