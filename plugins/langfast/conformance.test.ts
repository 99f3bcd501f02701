import { describeUpstream } from "modelyard/conformance";
import fixtures from "../../test/support/langfast-fixtures.ts";
import plugin from "./index.ts";

describeUpstream(plugin, fixtures);
