using Weir.Protocol.Messages;
using Weir.Protocol.Wire;

namespace Weir.Metadata.Control;

/// <summary>
/// Whether a broker may be stopped, and whether it is back: what an operator asks before and after each step of a rolling
/// restart. Everything that is not known to be good is a reason against it.
/// </summary>
internal static class BrokerChecks
{
    private const long VoterSilenceMs = 2000;

    public static CheckBrokerResponse Check(
        MetadataImage image, CheckBrokerRequest request, IReadOnlyList<VoterInfo> voters)
    {
        BrokerDecisions.Require(image, request.NodeId);
        var reasons = new List<string>();
        var (held, inSync) = Count(image, request.NodeId);
        if (request.Check == BrokerCheck.PreRestart)
        {
            CheckOthers(image, request.NodeId, reasons);
            CheckPartitions(image, request.NodeId, reasons);
            CheckVoters(request.NodeId, voters, reasons);
        }
        else
        {
            CheckReturn(image, request.NodeId, held, inSync, reasons);
        }

        return new CheckBrokerResponse
        {
            IsOk = reasons.Count == 0,
            CaughtUpPercent = held == 0 ? 100 : (int)(100L * inSync / held),
            Reasons = [.. reasons.Take(ProtocolLimits.CheckReasons)],
        };
    }

    private static (int Held, int InSync) Count(MetadataImage image, int nodeId)
    {
        var held = 0;
        var inSync = 0;
        foreach (var partition in image.Topics.SelectMany(static topic => topic.Partitions))
        {
            held += partition.Replicas.Contains(nodeId) ? 1 : 0;
            inSync += partition.Isr.Contains(nodeId) ? 1 : 0;
        }

        return (held, inSync);
    }

    private static void CheckOthers(MetadataImage image, int nodeId, List<string> reasons)
    {
        foreach (var broker in image.Brokers.Where(broker => broker.NodeId != nodeId))
        {
            if (broker.Fenced)
            {
                reasons.Add($"broker {broker.NodeId} is down or has not caught up with the metadata");
            }
            else if (broker.Draining)
            {
                reasons.Add($"broker {broker.NodeId} is draining");
            }
        }
    }

    private static void CheckPartitions(MetadataImage image, int nodeId, List<string> reasons)
    {
        foreach (var topic in image.Topics.OrderBy(static topic => topic.Name, StringComparer.Ordinal))
        {
            foreach (var partition in topic.Partitions)
            {
                var left = partition.Isr.Count(id => id != nodeId);
                if (partition.Leader < 0)
                {
                    reasons.Add($"{topic.Name}-{partition.Index} has no leader");
                }
                else if (partition.Replicas.Length > 1 && partition.Replicas.Contains(nodeId)
                    && left < BrokerDecisions.MinIsr(topic, partition))
                {
                    reasons.Add(
                        $"{topic.Name}-{partition.Index} would have {left} replicas in sync, below min.insync.replicas="
                            + $"{BrokerDecisions.MinIsr(topic, partition)}");
                }
            }
        }
    }

    private static void CheckVoters(int nodeId, IReadOnlyList<VoterInfo> voters, List<string> reasons)
    {
        var majority = voters.Count / 2 + 1;
        var left = voters.Count(voter => voter.NodeId != nodeId && voter.LastFetchMsAgo is >= 0 and < VoterSilenceMs);
        if (voters.Count > 1 && left < majority && voters.Any(voter => voter.NodeId == nodeId))
        {
            reasons.Add($"the metadata quorum would have {left} of {voters.Count} voters, below its majority of {majority}");
        }
    }

    private static void CheckReturn(MetadataImage image, int nodeId, int held, int inSync, List<string> reasons)
    {
        if (image.FindBroker(nodeId)!.Fenced)
        {
            reasons.Add($"broker {nodeId} is down or has not caught up with the metadata");
        }

        if (inSync < held)
        {
            reasons.Add($"{held - inSync} of its {held} replicas are not in sync");
        }
    }
}
