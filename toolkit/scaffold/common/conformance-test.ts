import { describeUpstream } from "modelyard/conformance";
import fixtures from "./conformance.ts";
import plugin from "./index.ts";

describeUpstream(plugin, fixtures);
