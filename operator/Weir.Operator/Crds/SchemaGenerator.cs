using System.Reflection;
using System.Text.Json;
using Weir.Operator.Framework;

namespace Weir.Operator.Crds;

/// <summary>Writes the structural schema of a type.</summary>
internal sealed class SchemaGenerator(DocumentationFile documentation)
{
    /// <summary>The schema of a class, with its description.</summary>
    public Dictionary<string, object> Of(Type type)
    {
        var schema = new Dictionary<string, object>();
        if (documentation.Find(type) is { } description)
        {
            schema["description"] = description;
        }

        FillObject(schema, type);
        AddRules(schema, type);
        return schema;
    }

    public static void AddRules(Dictionary<string, object> schema, MemberInfo member)
    {
        var rules = member.GetCustomAttributes<ValidationRuleAttribute>().Select(static rule => (object)new Dictionary<string, object>
        {
            ["message"] = rule.Message,
            ["rule"] = rule.Rule,
        }).ToList();
        if (rules.Count > 0)
        {
            schema["x-kubernetes-validations"] = rules;
        }
    }

    private void FillObject(Dictionary<string, object> schema, Type type)
    {
        var properties = new Dictionary<string, object>();
        var required = new List<object>();
        foreach (var property in Properties(type))
        {
            var name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
            properties[name] = Of(property);
            if (property.GetCustomAttribute<RequiredAttribute>() is not null)
            {
                required.Add(name);
            }
        }

        schema["type"] = "object";
        if (required.Count > 0)
        {
            schema["required"] = required;
        }

        schema["properties"] = properties;
    }

    /// <summary>Those of the base class first.</summary>
    private static IEnumerable<PropertyInfo> Properties(Type type) => type
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .OrderBy(property => property.DeclaringType == type ? 1 : 0)
        .ThenBy(static property => property.MetadataToken);

    private Dictionary<string, object> Of(PropertyInfo property)
    {
        var schema = new Dictionary<string, object>();
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (documentation.Find(property) is { } description)
        {
            schema["description"] = description;
        }

        var keepsUnknown = property.GetCustomAttribute<PreserveUnknownFieldsAttribute>() is not null;
        if (Scalar(type) is { } scalar)
        {
            schema["type"] = scalar.Type;
            if (scalar.Format is { } format)
            {
                schema["format"] = format;
            }
        }
        else if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(List<>))
        {
            schema["type"] = "array";
            schema["items"] = keepsUnknown ? Unknown() : Element(type.GetGenericArguments()[0]);
        }
        else if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>))
        {
            schema["type"] = "object";
            schema["additionalProperties"] = Element(type.GetGenericArguments()[1]);
        }
        else if (keepsUnknown)
        {
            schema["type"] = "object";
            schema["x-kubernetes-preserve-unknown-fields"] = true;
        }
        else
        {
            FillObject(schema, type);
        }

        if ((string)schema["type"] == "object" && property.GetCustomAttribute<RequiredAttribute>() is null)
        {
            // Merged field by field, one that is taken away by server-side apply would become null, which no schema admits:
            // https://github.com/kubernetes-sigs/structured-merge-diff/issues/305
            schema["x-kubernetes-map-type"] = "atomic";
        }

        AddBounds(schema, property, type);
        if (Scalar(type) is null && !type.IsGenericType && !keepsUnknown)
        {
            AddRules(schema, type);
        }

        AddRules(schema, property);
        return schema;
    }

    private static void AddBounds(Dictionary<string, object> schema, PropertyInfo property, Type type)
    {
        if (property.GetCustomAttribute<DefaultValueAttribute>() is { } standard)
        {
            schema["default"] = standard.Value;
        }

        if (property.GetCustomAttribute<RangeMinimumAttribute>() is { } minimum)
        {
            schema["minimum"] = minimum.Minimum;
        }

        if (property.GetCustomAttribute<RangeMaximumAttribute>() is { } maximum)
        {
            schema["maximum"] = maximum.Maximum;
        }

        if (property.GetCustomAttribute<LengthAttribute>() is { } length)
        {
            if (length.MinLength > 0)
            {
                schema["minLength"] = length.MinLength;
            }

            schema["maxLength"] = length.MaxLength;
        }

        if (property.GetCustomAttribute<PatternAttribute>() is { } pattern)
        {
            schema["pattern"] = pattern.RegexPattern;
        }

        AddListBounds(schema, property, isMap: type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Dictionary<,>));
    }

    private static void AddListBounds(Dictionary<string, object> schema, PropertyInfo property, bool isMap)
    {
        if (property.GetCustomAttribute<ItemsAttribute>() is { } items)
        {
            if (items.MinItems > 0)
            {
                schema[isMap ? "minProperties" : "minItems"] = items.MinItems;
            }

            schema[isMap ? "maxProperties" : "maxItems"] = items.MaxItems;
        }

        if (property.GetCustomAttribute<XListMapKeysAttribute>() is { } keys)
        {
            schema["x-kubernetes-list-map-keys"] = keys.Keys.Cast<object>().ToList();
        }

        if (property.GetCustomAttribute<XListTypeAttribute>() is { } listType)
        {
            schema["x-kubernetes-list-type"] = listType.Type;
        }
    }

    private Dictionary<string, object> Element(Type type)
    {
        if (Scalar(type) is not { } scalar)
        {
            return Of(type);
        }

        // A bound of the text bounds what a comparison of the list may cost the API server.
        var schema = new Dictionary<string, object> { ["type"] = scalar.Type };
        if (scalar.Type == "string")
        {
            schema["maxLength"] = 4096;
        }

        return schema;
    }

    private static Dictionary<string, object> Unknown() => new()
    {
        ["type"] = "object",
        ["x-kubernetes-preserve-unknown-fields"] = true,
    };

    private static (string Type, string? Format)? Scalar(Type type) => Type.GetTypeCode(type) switch
    {
        TypeCode.String => ("string", null),
        TypeCode.Boolean => ("boolean", null),
        TypeCode.Int32 => ("integer", "int32"),
        TypeCode.Int64 => ("integer", "int64"),
        TypeCode.DateTime => ("string", "date-time"),
        _ => null,
    };
}
