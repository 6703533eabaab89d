using Weir.Metadata.Control;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Storage;

namespace Weir.Groups;

/// <summary>One reset: asks the leaders where it leads to, and then moves all offsets or none.</summary>
internal sealed class GroupReset(
    Group group, IGroupHost host, ResetGroupRequest request, Action<ResetGroupResponse> reply, Refuse refuse)
{
    private readonly Dictionary<LogIdentity, ResetOffset> _offsets = [];
    private ErrorCode _error;
    private int _waiting;

    /// <summary>Asks the leaders.</summary>
    public void Begin()
    {
        if (!request.DryRun && !request.Force && group.HasMembers)
        {
            RefuseForMembers();
            return;
        }

        foreach (var topic in group.Topics.Where(topic => request.Topic is null || topic.Name == request.Topic))
        {
            for (var index = 0; index < topic.Partitions; index++)
            {
                if (request.Partition < 0 || request.Partition == index)
                {
                    var identity = new LogIdentity(topic.TopicId, index);
                    _offsets[identity] = new ResetOffset
                    {
                        TopicId = topic.TopicId,
                        Topic = topic.Name,
                        Partition = index,
                        Before = group.CommittedOf(identity) ?? -1,
                    };
                }
            }
        }

        if (_offsets.Count == 0)
        {
            refuse(ErrorCode.UnknownPartition, "the group consumes no such partition");
            return;
        }

        _waiting = _offsets.Count;
        foreach (var (identity, offset) in _offsets.ToList())
        {
            var (position, value) = Target(offset.Before);
            host.LookUp(identity, position, value, answer => OnFound(offset, answer));
        }
    }

    private (StartPosition Position, long Value) Target(long before) => request.To switch
    {
        ResetPosition.Earliest => (StartPosition.Earliest, 0),
        ResetPosition.Latest => (StartPosition.Latest, 0),
        ResetPosition.Timestamp => (StartPosition.Timestamp, request.Value),
        ResetPosition.Shift => (StartPosition.Offset, Math.Max(0, Math.Max(0, before) + request.Value)),
        _ => (StartPosition.Offset, Math.Max(0, request.Value)),
    };

    private void OnFound(ResetOffset offset, OffsetAnswer answer)
    {
        _error = answer.Error == ErrorCode.None ? _error : answer.Error;
        offset.After = answer.Offset;
        if (--_waiting > 0)
        {
            return;
        }

        if (_error != ErrorCode.None)
        {
            refuse(_error, "not every partition's leader says where that is; nothing was changed");
            return;
        }

        var response = new ResetGroupResponse
        {
            Offsets = [.. _offsets.Values.OrderBy(static one => one.Topic, StringComparer.Ordinal).ThenBy(static one => one.Partition)],
        };
        if (request.DryRun)
        {
            reply(response);
        }
        else if (!request.Force && group.HasMembers)
        {
            RefuseForMembers();
        }
        else
        {
            group.Reset(_offsets.ToDictionary(static pair => pair.Key, static pair => pair.Value.After), () => reply(response));
        }
    }

    private void RefuseForMembers() => refuse(
        ErrorCode.GroupNotEmpty, $"group '{group.Declaration.Name}' has members; stop them, or force the reset, which fences them");
}
