using Weir.Client;
using Weir.Operator.Brokers;
using Weir.Operator.Entities;
using Weir.Operator.Kubernetes;
using Weir.Protocol.Messages;

namespace Weir.Operator.Clusters;

/// <summary>Does what was decided about a cluster, after the brokers have agreed where they must.</summary>
internal sealed class ClusterActions(ClusterObjects objects)
{
    /// <summary>Carries an action out.</summary>
    /// <returns>What was done: the action, or one that waits if the brokers do not agree.</returns>
    /// <exception cref="WeirException">The brokers refuse.</exception>
    /// <exception cref="KubeApiException">The API server refuses.</exception>
    public async Task<ClusterAction?> RunAsync(
        V1Alpha1WeirCluster cluster, Observation seen, ClusterAction? action, ClusterConnection connection,
        CancellationToken cancellationToken)
    {
        if (await FindUnfinishedAsync(seen, action, connection, cancellationToken) is { } unfinished)
        {
            return unfinished;
        }

        switch (action?.Kind)
        {
            case ActionKind.RestartPod:
                return await RestartAsync(seen, action, connection, cancellationToken);
            case ActionKind.SetReplicas:
                await objects.SetReplicasAsync(seen.Names, action.Replicas, cancellationToken);
                break;
            case ActionKind.GrowVolume:
                await objects.GrowVolumeAsync(seen.Names, action.Target!, cluster.Spec.Storage.Size, cancellationToken);
                break;
            case ActionKind.RecreateStatefulSet:
                await objects.OrphanStatefulSetAsync(seen.Names, cancellationToken);
                break;
            case ActionKind.Cordon or ActionKind.Uncordon or ActionKind.Decommission or ActionKind.AbortDecommission
                or ActionKind.RemoveBroker:
                var admin = await connection.GetAdminAsync(cancellationToken);
                await admin.Cluster.ChangeBrokerAsync(action.Broker!.Value, ToBrokerAction(action.Kind), ct: cancellationToken);
                break;
        }

        if (action is not null and not { Kind: ActionKind.Wait })
        {
            connection.Invalidate();
        }

        return action;
    }

    private static BrokerAction ToBrokerAction(ActionKind kind) => kind switch
    {
        ActionKind.Cordon => BrokerAction.Cordon,
        ActionKind.Uncordon => BrokerAction.Uncordon,
        ActionKind.Decommission => BrokerAction.Decommission,
        ActionKind.AbortDecommission => BrokerAction.AbortDecommission,
        ActionKind.RemoveBroker => BrokerAction.Remove,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "it is no action of a broker"),
    };

    /// <summary>The broker that was restarted last, if it is not back in full: neither the next one nor the end may come.</summary>
    private static async Task<ClusterAction?> FindUnfinishedAsync(
        Observation seen, ClusterAction? action, ClusterConnection connection, CancellationToken cancellationToken)
    {
        var isAboutTo = action is null or { Kind: ActionKind.RestartPod, NeedsCheck: true };
        if (!isAboutTo || seen.Previous is not { Type: "Restart", Broker: { } broker } || seen.Cluster is null)
        {
            return null;
        }

        var admin = await connection.GetAdminAsync(cancellationToken);
        var check = await admin.Cluster.CheckBrokerAsync(broker, BrokerCheck.PostRestart, cancellationToken);
        return check.IsOk
            ? null
            : new ClusterAction(ActionKind.Wait, "Restart", $"broker {broker} is not back: {string.Join("; ", check.Reasons)}");
    }

    private async Task<ClusterAction> RestartAsync(
        Observation seen, ClusterAction action, ClusterConnection connection, CancellationToken cancellationToken)
    {
        if (action.NeedsCheck)
        {
            var admin = await connection.GetAdminAsync(cancellationToken);
            var check = await admin.Cluster.CheckBrokerAsync(action.Broker!.Value, BrokerCheck.PreRestart, cancellationToken);
            if (!check.IsOk)
            {
                return new ClusterAction(
                    ActionKind.Wait, action.Operation,
                    $"broker {action.Broker} cannot be restarted now: {string.Join("; ", check.Reasons)}")
                {
                    Target = action.Target,
                };
            }
        }

        await objects.DeletePodAsync(seen.Names, action.Target!, action.Uid!, cancellationToken);
        connection.Invalidate();
        return action;
    }
}
