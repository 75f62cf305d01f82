// What is used of cilium.io/v2, by its CustomResourceDefinition. It is closed: another field is an error.
import type {IObjectMeta} from '@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta';

interface Selector {matchLabels: Record<string, string>}
interface Port {port: string; protocol: 'TCP' | 'UDP' | 'SCTP' | 'ANY'}
interface Name {matchName?: string; matchPattern?: string}
interface Ports {ports: Port[]; rules?: {dns: Name[]}}

export interface ICiliumNetworkPolicy {
  apiVersion: 'cilium.io/v2';
  kind: 'CiliumNetworkPolicy';
  metadata: IObjectMeta;
  spec: {
    endpointSelector: Selector;
    ingress?: {fromEndpoints: Selector[]; toPorts: Ports[]}[];
    egress?: ({toEndpoints: Selector[]; toPorts: Ports[]} | {toFQDNs: Name[]; toPorts: Ports[]})[];
  };
}
