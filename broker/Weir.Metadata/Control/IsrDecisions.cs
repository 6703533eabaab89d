using System.Collections.Immutable;
using Weir.Metadata.Records;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;

namespace Weir.Metadata.Control;

/// <summary>What the controller makes of a leader's wishes for its in-sync replicas.</summary>
/// <param name="Records">What to append.</param>
/// <param name="Outcome">The answer to each wish, in their order.</param>
public sealed record IsrDecision(IReadOnlyList<IMetadataRecord> Records, IReadOnlyList<AlteredPartition> Outcome);

/// <summary>
/// Changes in-sync replicas by compare and set (KIP-497): the leader, its epoch and the partition's epoch must be the present
/// ones, and every member a live replica in the epoch that the leader saw it in (KIP-841, KIP-903). A leader that leaves itself
/// out hands over to one of the others.
/// </summary>
internal static class IsrDecisions
{
    public static IsrDecision Decide(MetadataImage image, AlterPartitionsRequest request)
    {
        BrokerDecisions.RequireEpoch(image, request.NodeId, request.BrokerEpoch);
        var changes = new PartitionChanges(image);
        var outcome = new List<AlteredPartition>();
        foreach (var wish in request.Partitions)
        {
            outcome.Add(Decide(image, request.NodeId, wish, changes));
        }

        return new IsrDecision(changes.ToRecords(), outcome);
    }

    private static AlteredPartition Decide(
        MetadataImage image, int leader, PartitionAlteration wish, PartitionChanges changes)
    {
        var answer = new AlteredPartition { TopicId = wish.TopicId, Partition = wish.Partition };
        if (image.Find(wish.TopicId) is not { } topic || wish.Partition < 0 || wish.Partition >= topic.Partitions.Length)
        {
            answer.Error = ErrorCode.UnknownPartition;
            return answer;
        }

        var present = topic.Partitions[wish.Partition];
        var minIsr = BrokerDecisions.MinIsr(topic, present);
        answer.Error = ReferenceEquals(changes.Get(topic, wish.Partition), present)
            ? Refuse(image, leader, wish, present, minIsr)
            : ErrorCode.StalePartitionEpoch;
        if (answer.Error == ErrorCode.None)
        {
            var isr = wish.Isr.Select(static member => member.NodeId).ToImmutableArray();
            var next = PartitionRules.WithIsr(present, isr, minIsr);
            next = PartitionRules.CompleteReassignment(next, minIsr, image.FindBroker);
            next = isr.Contains(leader) ? next : PartitionRules.Elect(next, minIsr, image.FindBroker);
            if (!PartitionChanges.IsSame(next, present))
            {
                changes.Set(topic, next);
                present = next with { PartitionEpoch = present.PartitionEpoch + 1 };
            }
        }

        answer.LeaderEpoch = present.LeaderEpoch;
        answer.PartitionEpoch = present.PartitionEpoch;
        answer.Isr = [.. present.Isr];
        return answer;
    }

    private static ErrorCode Refuse(
        MetadataImage image, int leader, PartitionAlteration wish, PartitionImage present, int minIsr)
    {
        if (present.LeaderEpoch != wish.LeaderEpoch)
        {
            return ErrorCode.FencedLeaderEpoch;
        }

        if (present.Leader != leader)
        {
            return ErrorCode.NotLeader;
        }

        if (present.PartitionEpoch != wish.PartitionEpoch)
        {
            return ErrorCode.StalePartitionEpoch;
        }

        // Without itself it gives up leading; then the others must be enough as they are.
        var givesUp = wish.Isr.All(member => member.NodeId != leader);
        if (wish.Isr.Length == 0
            || (givesUp && (wish.Isr.Length < minIsr || wish.Isr.Any(member => !present.Isr.Contains(member.NodeId))))
            || wish.Isr.Select(static member => member.NodeId).Distinct().Count() != wish.Isr.Length)
        {
            return ErrorCode.InvalidRequest;
        }

        foreach (var member in wish.Isr)
        {
            var isNew = !present.Isr.Contains(member.NodeId);
            var broker = image.FindBroker(member.NodeId);
            if (!present.Replicas.Contains(member.NodeId) || broker is null || broker.Fenced
                || broker.BrokerEpoch != member.BrokerEpoch || (isNew && broker.Draining))
            {
                return ErrorCode.IneligibleReplica;
            }
        }

        return ErrorCode.None;
    }
}
