using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups.Stream;

/// <summary>
/// Commits of a stream group: from the owner of a partition, in its assignment epoch, forward, and not beyond the partition's end,
/// which is asked for where it is not known.
/// </summary>
internal static class StreamCommits
{
    /// <summary>Commits what may be committed, and says of the rest why not.</summary>
    public static void Commit(
        IGroupContext context, StreamState state, StreamMember member, CommitOffsetsRequest request,
        Action<CommitOffsetsResponse> reply)
    {
        var errors = new ErrorCode[request.Offsets.Length];
        var beyond = new List<(int Index, StreamPartition Partition)>();
        for (var i = 0; i < errors.Length; i++)
        {
            if (Check(context, state, member, request.Offsets[i]) == ErrorCode.None
                && Find(state, request.Offsets[i]) is { } partition && request.Offsets[i].Offset > partition.KnownEnd)
            {
                beyond.Add((i, partition));
            }
        }

        var waiting = beyond.Count;
        if (waiting == 0)
        {
            Finish();
        }

        foreach (var (index, partition) in beyond)
        {
            context.LookUp(partition.Identity, StartPosition.Latest, 0, answer =>
            {
                partition.KnownEnd = Math.Max(partition.KnownEnd, answer.HighWatermark);
                errors[index] = answer.Error;
                if (--waiting == 0)
                {
                    Finish();
                }
            });
        }

        // Looked at again: in between, the partition may have got another owner.
        void Finish()
        {
            var offsets = new List<StreamOffset>();
            for (var i = 0; i < errors.Length; i++)
            {
                var commit = request.Offsets[i];
                errors[i] = Check(context, state, member, commit) is var refusal && refusal != ErrorCode.None ? refusal : errors[i];
                if (errors[i] == ErrorCode.None && commit.Offset > Find(state, commit)!.KnownEnd)
                {
                    errors[i] = ErrorCode.OffsetOutOfRange;
                }

                if (errors[i] == ErrorCode.None)
                {
                    offsets.Add(StreamState.ToOffset(new LogIdentity(commit.TopicId, commit.Partition), commit.Offset));
                }
            }

            foreach (var chunk in offsets.Chunk(StreamRecords.MaxPartitions))
            {
                context.Append(new StreamOffsets { Offsets = chunk });
            }

            reply(new CommitOffsetsResponse { Errors = [.. errors.Select(static error => (int)error)] });
        }
    }

    private static StreamPartition? Find(StreamState state, OffsetCommit commit) =>
        state.Partitions.GetValueOrDefault(new LogIdentity(commit.TopicId, commit.Partition));

    private static ErrorCode Check(IGroupContext context, StreamState state, StreamMember member, OffsetCommit commit)
    {
        if (Find(state, commit) is not { } partition)
        {
            return ErrorCode.UnknownPartition;
        }

        if (!context.Options.Omits(OmittedGroupRules.CommitsByOwner))
        {
            if (partition.Owner != member)
            {
                return ErrorCode.NotAssigned;
            }

            if (partition.AssignmentEpoch != commit.AssignmentEpoch)
            {
                return ErrorCode.FencedMember;
            }
        }

        return commit.Offset < partition.Committed && !context.Options.Omits(OmittedGroupRules.CommitsForward)
            ? ErrorCode.OffsetOutOfRange
            : ErrorCode.None;
    }
}
