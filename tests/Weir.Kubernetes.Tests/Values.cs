namespace Weir.Kubernetes.Tests;

/// <summary>Values of the chart and resources, as users write them.</summary>
internal static class Values
{
    public static string Brokers(int count) => $"""
        cluster:
          brokers: {count}
          storage:
            size: 1Gi
          resources:
            requests:
              cpu: 10m

        """;

    public static string Topic(string name, int partitions = 1, int replicas = 1, string more = "") => $$"""
        apiVersion: weir.dev/v1alpha1
        kind: Topic
        metadata:
          name: {{name}}
        spec:
          clusterRef: {name: w}
          partitions: {{partitions}}
          replicas: {{replicas}}
          {{more}}
        """;

    public static string Group(string name, string topic, string more = "") => $$"""
        apiVersion: weir.dev/v1alpha1
        kind: ConsumerGroup
        metadata:
          name: {{name}}
        spec:
          clusterRef: {name: w}
          mode: keyed
          topics: [{{topic}}]
          {{more}}
        """;
}
