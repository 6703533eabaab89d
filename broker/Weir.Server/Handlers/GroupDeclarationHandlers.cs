using Weir.Metadata;
using Weir.Protocol.Errors;
using Weir.Protocol.Messages;
using Weir.Replication;
using Weir.Server.Peers;
using Weir.Server.Transport;

namespace Weir.Server.Handlers;

/// <summary>Declares groups; answers once this broker knows of it, so that the client's next request does too.</summary>
internal sealed class CreateGroupHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<CreateGroupRequest, CreateGroupResponse>(controller, loop)
{
    protected override async ValueTask<CreateGroupResponse> HandleAsync(Connection connection, CreateGroupRequest request)
    {
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (response.GroupId != Guid.Empty && connection.PeerNodeId is null)
        {
            await follower.WaitAsync(image => image.FindGroup(response.GroupId) is not null).ConfigureAwait(false);
        }

        return response;
    }
}

/// <summary>Alters groups; answers once this broker follows.</summary>
internal sealed class AlterGroupHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<AlterGroupRequest, EmptyMessage>(controller, loop)
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, AlterGroupRequest request)
    {
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (connection.PeerNodeId is null && !request.ValidateOnly)
        {
            await follower.WaitAsync(image => !Changes(image, request)).ConfigureAwait(false);
        }

        return response;
    }

    /// <summary>Decided again, it changes nothing where it is done; refused, something else came after it.</summary>
    private static bool Changes(MetadataImage image, AlterGroupRequest request)
    {
        try
        {
            return MetadataController.AlterGroup(image, request).Count > 0;
        }
        catch (ProtocolException)
        {
            return false;
        }
    }
}

/// <summary>Deletes groups; answers once this broker has forgotten it.</summary>
internal sealed class DeleteGroupHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<DeleteGroupRequest, EmptyMessage>(controller, loop)
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, DeleteGroupRequest request)
    {
        var groupId = follower.Image.FindGroup(request.Name)?.GroupId;
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (groupId is { } id && connection.PeerNodeId is null)
        {
            await follower.WaitAsync(image => image.FindGroup(id) is null).ConfigureAwait(false);
        }

        return response;
    }
}

/// <summary>Changes settings of the cluster; answers once this broker follows.</summary>
internal sealed class AlterClusterHandler(ControllerClient controller, MetadataLoop loop, ImageFollower follower)
    : ControllerHandler<AlterClusterRequest, EmptyMessage>(controller, loop)
{
    protected override async ValueTask<EmptyMessage> HandleAsync(Connection connection, AlterClusterRequest request)
    {
        var response = await base.HandleAsync(connection, request).ConfigureAwait(false);
        if (connection.PeerNodeId is null && !request.ValidateOnly)
        {
            await follower.WaitAsync(image => MetadataController.AlterCluster(image, request).Count == 0).ConfigureAwait(false);
        }

        return response;
    }
}

/// <summary>Lists the declared groups.</summary>
internal sealed class ListGroupsHandler(Func<MetadataImage> image, BrokerReplicas replicas)
    : RequestHandler<ListGroupsRequest, ListGroupsResponse>
{
    /// <summary>A group as the metadata has it, with its coordinator.</summary>
    public static GroupInfo ToInfo(MetadataImage image, GroupImage group) => new()
    {
        GroupId = group.GroupId,
        Name = group.Name,
        Mode = group.Mode,
        Topics = [.. group.Topics],
        Start = group.Start,
        StartValue = group.StartValue,
        DeadLetterTopic = group.DeadLetterTopic,
        Owner = group.Owner,
        Configs = group.Settings.Describe(),
        CreatedAtMs = group.CreatedAtMs,
        Coordinator = image.CoordinatorOf(group),
    };

    protected override ValueTask<ListGroupsResponse> HandleAsync(Connection connection, ListGroupsRequest request)
    {
        var known = replicas.RequireMetadata(image());
        return ValueTask.FromResult(new ListGroupsResponse
        {
            Groups =
            [
                .. known.Groups.OrderBy(static group => group.Name, StringComparer.Ordinal).Select(group => ToInfo(known, group)),
            ],
        });
    }
}

/// <summary>Says which broker coordinates a group.</summary>
internal sealed class FindCoordinatorHandler(Func<MetadataImage> image, BrokerReplicas replicas)
    : RequestHandler<FindCoordinatorRequest, FindCoordinatorResponse>
{
    protected override ValueTask<FindCoordinatorResponse> HandleAsync(Connection connection, FindCoordinatorRequest request)
    {
        var known = replicas.RequireMetadata(image());
        var group = known.FindGroup(request.Name)
            ?? throw new ProtocolException(ErrorCode.UnknownGroup, $"group '{request.Name}' does not exist");
        return ValueTask.FromResult(new FindCoordinatorResponse
        {
            GroupId = group.GroupId,
            Mode = group.Mode,
            NodeId = known.CoordinatorOf(group),
        });
    }
}
